"""Buys something and reads the events of it, with the published documents alone.

usage: stranger.py SHOP_URL KAFKA_BROKERS

Knows the address of a shop, and that it speaks as /openapi.json and /asyncapi.json there say. Every
answer is validated against the first, every event against the second. Prints what it saw as JSON.
"""
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

import jsonschema
from confluent_kafka import Consumer, KafkaError

# The gateway itself answers within 10 s.
CALL_LIMIT_S = 30
# From the payment to the last of its events; a webhook that failed comes again after 5 s.
WAIT_LIMIT_S = 60


def fetch(method, url, body=None, headers=None):
    """Status, headers and text of whatever is answered."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=CALL_LIMIT_S) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.headers, refusal.read()


def validate(document, schema, value):
    """Validates against a schema of a document, whose references lead into its components."""
    whole = {**schema, "components": document["components"]}
    jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker()).validate(value)


class Api:
    """The operations of an OpenAPI document, by their names."""

    def __init__(self, base):
        self.base = base
        self.document = json.loads(fetch("GET", base + "/openapi.json")[2])
        self.operations = {
            operation["operationId"]: (method.upper(), path, operation)
            for path, methods in self.document["paths"].items()
            for method, operation in methods.items()
        }

    def call(self, name, params=None, body=None, headers=None, token=None):
        method, path, operation = self.operations[name]
        sent = dict(headers or {})
        for parameter in operation["parameters"]:
            place, key = parameter["in"], parameter["name"]
            given = (params or {}) if place != "header" else sent
            if key not in given:
                assert not parameter["required"], f"{name} needs {key}"
                continue
            validate(self.document, parameter["schema"], given[key])
            if place == "path":
                path = path.replace("{%s}" % key, urllib.parse.quote(str(given[key]), safe=""))
            elif place == "query":
                joint = "&" if "?" in path else "?"
                path += joint + urllib.parse.urlencode({key: given[key]})
        if token:
            assert any("bearer" in way for way in operation["security"]), f"{name} takes no token"
            sent["authorization"] = "Bearer " + token
        data = None
        if body is not None:
            validate(self.document, operation["requestBody"]["content"]["application/json"]["schema"], body)
            data, sent["content-type"] = json.dumps(body).encode(), "application/json"
        may_repeat = method == "GET" or "idempotency-key" in sent
        deadline = time.monotonic() + WAIT_LIMIT_S
        while True:
            answer = fetch(method, self.base + path, data, sent)
            status, headers, _ = answer
            # As the document says: who is busy or away tells when to ask again.
            is_away = status in (429, 503) and "retry-after" in headers
            if not (is_away and may_repeat and time.monotonic() < deadline):
                return self.read(name, operation, answer)
            time.sleep(int(headers["retry-after"]))

    def read(self, name, operation, answer):
        status, headers, text = answer
        described = operation["responses"].get(str(status)) or operation["responses"]["default"]
        media = headers.get_content_type()
        value = json.loads(text)
        validate(self.document, described["content"][media]["schema"], value)
        if status >= 400:
            raise Refused(f"{name}: {value['code']}", value)
        return value


class Refused(Exception):
    """A problem document."""


class Events:
    """The messages of an AsyncAPI document's topics, from where they end now."""

    def __init__(self, base, brokers):
        self.document = json.loads(fetch("GET", base + "/asyncapi.json")[2])
        topics = [
            channel["address"]
            for channel in self.document["channels"].values()
            if channel["servers"] == [{"$ref": "#/servers/kafka"}]
        ]
        self.consumer = Consumer({
            "bootstrap.servers": brokers,
            "group.id": f"stranger-{uuid.uuid4()}",
            "auto.offset.reset": "latest",
            "enable.auto.commit": False,
        })
        self.assigned = False
        self.consumer.subscribe(topics, on_assign=self.on_assign)
        deadline = time.monotonic() + WAIT_LIMIT_S
        while not self.assigned:
            assert time.monotonic() < deadline, "no partitions in time"
            self.consumer.poll(0.2)

    def on_assign(self, consumer, partitions):
        # Where it begins has to be known before anything is bought.
        for partition in partitions:
            partition.offset = consumer.get_watermark_offsets(partition, timeout=10)[1]
        consumer.assign(partitions)
        self.assigned = True

    def resolve(self, reference):
        value = self.document
        for part in reference["$ref"].removeprefix("#/").split("/"):
            value = value[part]
        return value

    def message_of(self, topic, event):
        for reference in self.document["channels"][topic]["messages"].values():
            message = self.resolve(reference)
            if message["name"] == event["type"]:
                return message
        raise AssertionError(f"{event['type']} is not described for {topic}")

    def read(self):
        """The next event, valid and with the key that its channel promises; None when none comes."""
        record = self.consumer.poll(0.5)
        if record is None:
            return None
        if record.error():
            assert record.error().code() == KafkaError._PARTITION_EOF, record.error()
            return None
        event = json.loads(record.value())
        message = self.message_of(record.topic(), event)
        media = dict(record.headers() or [])["content-type"].decode()
        assert media.split(";")[0] == message["contentType"], media
        validate(self.document, message["payload"], event)
        assert record.key().decode() == event["partitionkey"] == event["subject"]
        self.refuses_broken(message, event)
        return event

    def refuses_broken(self, message, event):
        """A schema that takes anything would prove nothing."""
        for broken in ({**event, "data": {}}, {**event, "type": "else"}, {**event, "id": 1}):
            try:
                validate(self.document, message["payload"], broken)
            except jsonschema.ValidationError:
                continue
            raise AssertionError(f"{message['name']} takes anything")

    def wait_for(self, order_id, wanted):
        """The types of the order's events, in order, up to the one that is wanted."""
        seen, version, deadline = [], 0, time.monotonic() + WAIT_LIMIT_S
        while wanted not in seen:
            assert time.monotonic() < deadline, f"{wanted} did not come, only {seen}"
            event = self.read()
            # A message may come twice; what is not newer says nothing new.
            if event and event["data"].get("orderId") == order_id and event["data"]["version"] > version:
                version = event["data"]["version"]
                seen.append(event["type"])
        return seen


def buy(api):
    """A cart filled, checked out as a guest, and paid on the provider's page."""
    products = api.call("listProducts", params={"q": "coffee", "limit": 1})["items"]
    variant = products[0]["variants"][0]
    cart = api.call("createCart")
    line = {"cartId": cart["id"], "variantId": variant["id"]}
    cart = api.call("putCartLine", params=line, body={"quantity": 2})
    assert cart["total"]["amountMinor"] == 2 * variant["price"]["amountMinor"]
    address = {"name": "Ada", "line1": "1 rue Rambuteau", "postalCode": "75001", "city": "Paris", "country": "FR"}
    order = {"cartId": cart["id"], "email": "ada@example.com", "shippingAddress": address}
    key = {"idempotency-key": str(uuid.uuid4())}
    try:
        wrong = {"amountMinor": 1, "currency": cart["total"]["currency"]}
        api.call("placeOrder", body={**order, "expectedTotal": wrong}, headers=key)
        raise AssertionError("a wrong total was taken")
    except Refused as refusal:
        assert refusal.args[1]["code"] == "PRICE_CHANGED", refusal
    body = {**order, "expectedTotal": quote(api, cart)}
    key = {"idempotency-key": str(uuid.uuid4())}
    placed = api.call("placeOrder", body=body, headers=key)
    again = api.call("placeOrder", body=body, headers=key)
    assert again["id"] == placed["id"], "the same key placed two orders"
    pay(placed["payment"]["redirectUrl"])
    return placed


def quote(api, cart):
    totals = api.call("quoteOrder", body={"cartId": cart["id"], "country": "FR"})
    return totals["total"]


def pay(page):
    """What a browser would send from the provider's page."""
    form = urllib.parse.urlencode({"number": "4242424242424242", "expiry": "12/40", "cvc": "123"})

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    opener = urllib.request.build_opener(Stay)
    try:
        opener.open(page, data=form.encode(), timeout=CALL_LIMIT_S)
        raise AssertionError("the card page did not lead back")
    except urllib.error.HTTPError as answer:
        assert answer.code == 303, answer.code


def main(base, brokers):
    api, events = Api(base), Events(base, brokers)
    order = buy(api)
    types = events.wait_for(order["id"], "halles.orders.order-paid.v1")
    deadline = time.monotonic() + WAIT_LIMIT_S
    while True:
        seen = api.call("getOrder", params={"orderId": order["id"]}, token=order["accessToken"])
        if seen["status"] == "paid":
            break
        assert time.monotonic() < deadline, seen["status"]
        time.sleep(0.2)
    events.consumer.close()
    print(json.dumps({"orderId": order["id"], "status": seen["status"], "events": types}))


main(*sys.argv[1:])
