"""Reads a product's newest event from Kafka, with the published documents alone.

usage: read_event.py BROKERS TOPIC PRODUCT_ID SHOP_URL
Prints {"type", "prices"} as JSON. The schema of the data is the one that the event names.
"""
import json
import sys
import time
import urllib.parse
import urllib.request

import jsonschema
from confluent_kafka import Consumer, KafkaError

brokers, topic, product_id, shop_url = sys.argv[1:]
consumer = Consumer({
    "bootstrap.servers": brokers,
    "group.id": f"stranger-{product_id}-{time.time()}",
    "auto.offset.reset": "earliest",
    "enable.partition.eof": True,
})
partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
consumer.subscribe([topic])

newest = None
ended = set()
give_up_at = time.monotonic() + 25
while len(ended) < len(partitions):
    if time.monotonic() > give_up_at:
        sys.exit("the end of the topic was not reached in time")
    record = consumer.poll(1.0)
    if record is None:
        continue
    if record.error():
        if record.error().code() != KafkaError._PARTITION_EOF:
            sys.exit(str(record.error()))
        ended.add(record.partition())
    elif record.key().decode() == product_id:
        newest = json.loads(record.value())
consumer.close()
if newest is None:
    sys.exit("there is no event of the product")

for member in ("specversion", "id", "source", "type", "dataschema"):
    assert isinstance(newest[member], str) and newest[member], member
path = urllib.parse.urlparse(newest["dataschema"]).path
with urllib.request.urlopen(shop_url + path, timeout=10) as answer:
    schema = json.load(answer)
jsonschema.Draft202012Validator(schema).validate(newest["data"])
broken = {**newest["data"], "version": "one"}
assert list(jsonschema.Draft202012Validator(schema).iter_errors(broken)), "a schema that checks nothing"
prices = [variant["price"]["amountMinor"] for variant in newest["data"]["variants"]]
print(json.dumps({"type": newest["type"], "prices": prices}))
