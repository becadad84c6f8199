import type { DebitFault } from './bank-debits.ts'
import type { CardFault } from './cards.ts'
import type { Checkout } from './domain/decision.ts'
import { formatMoney } from './domain/money.ts'
import type { Session } from './shapes/sessions.ts'

const style = `
:root { color-scheme: light dark; --ink: #1a1f36; --soft: #596070; --line: #c9ced8; --paper: #fff; --ground: #f6f7fb; --accent: #4b45c6; --bad: #b3093c }
@media (prefers-color-scheme: dark) { :root { --ink: #eceef5; --soft: #aab1c2; --line: #454c5e; --paper: #1d2130; --ground: #12151f; --accent: #8f8bff; --bad: #ff8fab } }
* { box-sizing: border-box } body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground) }
main { max-width: 27rem; margin: 2rem auto; padding: 1.75rem; background: var(--paper); border: 1px solid var(--line); border-radius: .75rem }
.note { margin: 0 0 1rem; color: var(--soft); font-size: .875rem } h1 { margin: 0; font-size: 2rem; letter-spacing: -.02em }
ul { list-style: none; margin: 1rem 0 1.5rem; padding: 0 } li { display: flex; justify-content: space-between; gap: 1rem; padding: .4rem 0; border-top: 1px solid var(--line) }
label { display: block; margin-top: 1rem; font-weight: 600; font-size: .9rem } .pair { display: flex; gap: 1rem } .pair > div { flex: 1; min-width: 0 }
input { width: 100%; margin-top: .3rem; padding: .65rem .75rem; font: inherit; color: inherit; background: transparent; border: 1px solid var(--line); border-radius: .4rem }
input[aria-invalid] { border-color: var(--bad) } button { width: 100%; margin-top: 1.25rem; padding: .8rem; font: inherit; font-weight: 600; color: var(--paper); background: var(--accent); border: 1px solid var(--accent); border-radius: .4rem; cursor: pointer }
button.plain { color: inherit; background: transparent; border-color: var(--line); margin-top: .6rem } :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
[role=alert] { margin: 1rem 0 0; padding: .7rem .9rem; border: 1px solid var(--bad); border-radius: .4rem; color: var(--bad) } a { color: var(--accent) } .back { display: block; margin-top: 1.25rem; text-align: center }
`

export type FormFault = CardFault | DebitFault | { field: null; message: string }

/** What can be paid with: a form for each way that the session takes. */
export function payPage(checkout: Checkout, fault: FormFault | null): string {
  const { session } = checkout
  const total = escapeHtml(totalOf(session))
  const types = session.payment_method_types
  return page(
    `Pay ${total}`,
    `<h1>${total}</h1>
<ul>${linesOf(checkout)}</ul>
${fault === null ? '' : `<p role="alert" id="fault">${escapeHtml(fault.message)}</p>`}
${types.includes('card') ? cardForm(session, fault) : ''}
${types.includes('sepa_debit') ? sepaForm(session, fault) : ''}
${types.includes('bacs_debit') ? bacsForm(session, fault) : ''}
${backLink(session)}`,
  )
}

function cardForm(session: Session, fault: FormFault | null): string {
  return `<form method="post" autocomplete="on">
${emailField(session, 'email')}
<label for="number">Card number</label>
<input id="number" name="number" inputmode="numeric" autocomplete="cc-number" placeholder="4242 4242 4242 4242" required${mark(fault, 'number')}>
<div class="pair">
<div><label for="expiry">Expiry (MM / YY)</label>
<input id="expiry" name="expiry" inputmode="numeric" autocomplete="cc-exp" placeholder="MM / YY" required${mark(fault, 'expiry')}></div>
<div><label for="cvc">Security code</label>
<input id="cvc" name="cvc" inputmode="numeric" autocomplete="cc-csc" placeholder="CVC" required${mark(fault, 'cvc')}></div>
</div>
<button type="submit">Pay ${escapeHtml(totalOf(session))}</button>
</form>`
}

function sepaForm(session: Session, fault: FormFault | null): string {
  return `<form method="post">
${emailField(session, 'sepa-email')}
<label for="iban">IBAN (SEPA direct debit, the bank answers later)</label>
<input id="iban" name="iban" autocomplete="off" placeholder="DE89 3704 0044 0532 0130 00" required${mark(fault, 'iban')}>
<button type="submit" class="plain">Pay ${escapeHtml(totalOf(session))} by direct debit</button>
</form>`
}

function bacsForm(session: Session, fault: FormFault | null): string {
  return `<form method="post">
${emailField(session, 'bacs-email')}
<div class="pair">
<div><label for="sort-code">Sort code (Bacs)</label>
<input id="sort-code" name="sort_code" inputmode="numeric" autocomplete="off" placeholder="10-88-00" required></div>
<div><label for="account">Account number</label>
<input id="account" name="account" inputmode="numeric" autocomplete="off" placeholder="00012345" required${mark(fault, 'account')}></div>
</div>
<button type="submit" class="plain">Pay ${escapeHtml(totalOf(session))} by direct debit</button>
</form>`
}

function mark(fault: FormFault | null, field: string): string {
  return fault?.field === field ? ' aria-invalid="true" aria-describedby="fault"' : ''
}

function emailField({ customer_email }: Session, id: string): string {
  if (customer_email !== null) return ''
  return `<label for="${id}">E-mail</label><input id="${id}" name="email" type="email" autocomplete="email">`
}

export function authenticationPage({ session }: Checkout): string {
  return page(
    'Confirm your payment',
    `<h1>Confirm your payment</h1>
<p>Your bank asks you to confirm a payment of ${escapeHtml(totalOf(session))}.</p>
<form method="post">
<button type="submit" name="authentication" value="complete">Complete authentication</button>
<button type="submit" name="authentication" value="fail" class="plain">Fail authentication</button>
</form>`,
  )
}

export function messagePage(title: string, text: string, session: Session | null): string {
  const back = session === null ? '' : backLink(session)
  return page(title, `<h1>${escapeHtml(title)}</h1><p>${escapeHtml(text)}</p>${back}`)
}

function page(title: string, content: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title><style>${style}</style></head>
<body><main><p class="note">Payment sandbox: use a test card, no money moves.</p>
${content}</main></body></html>`
}

function linesOf({ details }: Checkout): string {
  return details.lines
    .map(({ description, quantity, amount_total, currency }) => {
      const name = escapeHtml(`${description ?? ''} × ${quantity ?? 1}`)
      return `<li><span>${name}</span><span>${escapeHtml(formatMoney(amount_total, currency))}</span></li>`
    })
    .join('')
}

function totalOf(session: Session): string {
  return formatMoney(session.amount_total ?? 0, session.currency ?? 'eur')
}

function backLink({ cancel_url }: Session): string {
  return cancel_url === null
    ? ''
    : `<a class="back" href="${escapeHtml(cancel_url)}">Back to the shop</a>`
}

const entities: { [character: string]: string } = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? '')
}
