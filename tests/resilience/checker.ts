import type { Account } from './accounts.ts'
import type { Credential, Facts } from './facts.ts'
import type { Listing } from './listings.ts'
import type { Memory } from './workload.ts'

/**
 * Holds what people were promised against what the services know, and says what is wrong, one
 * sentence each; nothing when every accepted change arrived, once and in order.
 */
export function findComplaints(memory: Memory, facts: Facts): string[] {
  return [
    ...memory.accounts.flatMap((account) => [
      ...checkPassword(account, facts),
      ...checkSessions(account, facts),
    ]),
    ...checkCommands(facts),
    ...memory.listings.flatMap((listing) => [
      ...checkPrice(listing, facts),
      ...checkAnnouncements(listing, facts),
      ...checkReplicas(listing, facts),
    ]),
    ...facts.deadLetters.map(
      ({ service, type, reason }) => `${service}: a ${type} is a dead letter (${reason})`,
    ),
  ]
}

/** The newest password is the one that customers and auth hold, and each change counted once. */
function checkPassword(account: Account, facts: Facts): string[] {
  const { id, passwords, unanswered } = account
  const said = (text: string) => `customer ${id}: ${text}`
  const truth = facts.customers.get(id)
  const copy = facts.credentials.get(id)
  if (!truth || !copy) return [said(`unknown to ${truth ? 'auth' : 'customers'}`)]
  const newest = passwords.length - 1
  const isPossible = (place: number) =>
    place === newest || (unanswered !== undefined && place === newest + 1)
  const complaints: string[] = []
  if (!isPossible(truth.password)) {
    complaints.push(said(`customers holds ${nameOf(truth)}, password ${newest} was accepted`))
  } else if (truth.version !== truth.password + 1) {
    complaints.push(said(`customers made ${truth.version - 1} changes of ${truth.password}`))
  }
  if (copy.version !== truth.version || copy.password !== truth.password) {
    complaints.push(said(`auth holds ${nameOf(copy)}, customers ${nameOf(truth)}`))
  }
  return complaints
}

function nameOf({ password, version }: Credential): string {
  return `${password < 0 ? 'an unknown password' : `password ${password}`} (version ${version})`
}

/** Every session that an older password opened is dead, and its end was told exactly once. */
function checkSessions(account: Account, facts: Facts): string[] {
  const { id, sessions, passwords } = account
  const said = (text: string) => `customer ${id}: ${text}`
  const open = facts.sessions.filter(({ subjectId }) => subjectId === id)
  const appliedAt = facts.credentials.get(id)?.appliedAt ?? new Date(0)
  const complaints = open
    // Also those whose sign-in got lost, and of which the customer knows nothing.
    .filter(({ openedAt }) => openedAt < appliedAt)
    .map((session) => said(`session ${session.id} is alive, older than the newest password`))
  for (const session of sessions.filter(({ opensWith }) => opensWith < passwords.length - 1)) {
    const isAlive = open.some((each) => each.id === session.id)
    if (isAlive) {
      complaints.push(said(`session ${session.id} of password ${session.opensWith} is alive`))
    }
    const told = facts.revocations.get(session.id) ?? 0
    if (told !== 1) complaints.push(said(`the end of session ${session.id} was told ${told} times`))
  }
  return complaints
}

/** Each command that customers sent has had its effect at auth once. */
function checkCommands({ commandsSent, commandsApplied }: Facts): string[] {
  if (commandsSent === commandsApplied) return []
  return [`auth applied ${commandsApplied} commands, customers sent ${commandsSent}`]
}

/** The newest price is the one that products sells at, and each accepted change was made once. */
function checkPrice(listing: Listing, facts: Facts): string[] {
  const { productId, variantId, amounts, unanswered } = listing
  const said = (text: string) => `product ${productId}: ${text}`
  const truth = facts.products.get(productId)
  if (!truth) return [said('unknown to products')]
  const newest = amounts.at(-1)
  const made = facts.priceHistory.get(variantId) ?? []
  const complaints: string[] = []
  if (truth.amountMinor !== newest && truth.amountMinor !== unanswered) {
    complaints.push(said(`products sells at ${truth.amountMinor}, ${newest} was accepted`))
  }
  for (const amount of amounts.slice(1)) {
    const count = made.filter((each) => each === amount).length
    if (count !== 1) complaints.push(said(`the price ${amount} was set ${count} times`))
  }
  if (truth.version !== made.length + 1) {
    complaints.push(said(`products is at version ${truth.version} after ${made.length} changes`))
  }
  return complaints
}

/** Each version of a product was told by one event. */
function checkAnnouncements({ productId }: Listing, facts: Facts): string[] {
  const { version: newest = 0 } = facts.products.get(productId) ?? {}
  const told = facts.announcements.get(productId)
  const versions = Array.from({ length: newest }, (_, index) => index + 1)
  return versions.flatMap((version) => {
    const count = told?.get(version) ?? 0
    return count === 1 ? [] : `product ${productId}: version ${version} is in ${count} events`
  })
}

/** Carts and wishlists hold what products holds. */
function checkReplicas({ productId }: Listing, facts: Facts): string[] {
  const truth = facts.products.get(productId)
  return [...facts.replicas].flatMap(([service, replica]) => {
    const copy = replica.get(productId)
    if (copy?.version === truth?.version && copy?.amountMinor === truth?.amountMinor) return []
    return `product ${productId}: ${service} shows ${priceOf(copy)}, products ${priceOf(truth)}`
  })
}

function priceOf(known: { version: number; amountMinor: number } | undefined): string {
  return known ? `${known.amountMinor} (version ${known.version})` : 'nothing'
}
