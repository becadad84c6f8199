import { Link } from 'react-router'
import { useShopText } from '../../text/shop-text.ts'
import { usePath } from './use-path.ts'

/** How far a purchase has come. */
export function Steps({ at }: { at: 'address' | 'review' | 'pay' }) {
  const { checkoutPage: text } = useShopText()
  const path = usePath()
  const steps = [
    { key: 'address', label: text.stepAddress, to: path('/checkout') },
    { key: 'review', label: text.stepReview, to: path('/checkout/review') },
    { key: 'pay', label: text.stepPay },
  ]
  const current = steps.findIndex(({ key }) => key === at)
  return (
    <nav aria-label={text.steps}>
      <ol className="steps">
        {steps.map(({ key, label, to }, index) => (
          <li key={key} data-done={index < current} {...(key === at && { 'aria-current': 'step' })}>
            {index < current && to && at !== 'pay' ? <Link to={to}>{label}</Link> : label}
          </li>
        ))}
      </ol>
    </nav>
  )
}
