import { Form } from 'react-router'
import { Button } from '../../design/Button.tsx'
import { Field } from '../../design/Field.tsx'
import { useShopText } from '../../text/shop-text.ts'
import { usePath } from './use-path.ts'

/** Asks before an order is cancelled; it unfolds without scripts too. */
export function OrderCancellation({ orderId }: { orderId: string }) {
  const { order: text } = useShopText()
  const path = usePath()
  return (
    <details className="ask">
      <summary>{text.cancel}</summary>
      <Form method="post" action={path(`/orders/${orderId}`)} className="stack">
        <p>{text.cancelText}</p>
        <Field label={text.cancelReason} name="reason" maxLength={300} />
        <p>
          <Button look="danger" name="intent" value="cancel">
            {text.cancelYes}
          </Button>
        </p>
      </Form>
    </details>
  )
}
