import type { CustomerPage } from '@halles/contracts/gen/http/customers'
import type { Roles, SubjectRoles } from '@halles/contracts/gen/http/rbac'
import { AppError } from '@halles/kit/errors'
import type { Session } from '../shop-session.ts'
import { type Command, type Context, usage } from './command.ts'
import { table } from './table.ts'

const who = '  <person>              an e-mail, or the id of an account'
const roleName = /^[a-z][a-z0-9-]{1,39}$/

export const rolesList: Command = {
  name: 'roles list',
  summary: 'Every role and what it allows.',
  words: [],
  options: {},
  help: '',
  async run(_input, { session, show }) {
    const { call } = await session()
    const { items } = await call<Roles>({ method: 'GET', path: '/api/v1/roles' })
    const rows = items.map(({ role, permissions }) => [role, permissions.join(' ')])
    show({ json: { items }, text: table(['ROLE', 'PERMISSIONS'], rows) })
    return true
  },
}

export const rolesShow: Command = {
  name: 'roles show',
  summary: 'The roles of somebody.',
  words: ['<person>'],
  options: {},
  help: who,
  example: 'ada@example.com',
  async run({ words: [person = ''] }, context) {
    const session = await context.session()
    tell(context, person, await readRoles(session, await findPerson(session, person)))
    return true
  },
}

export const rolesGrant = change({
  name: 'roles grant',
  summary: 'Give somebody roles. Audited.',
  after:
    'They count from the next time the access token is renewed, within its 15 minutes at most.',
  apply: (roles, named) => [...new Set([...roles, ...named])],
})

export const rolesRevoke = change({
  name: 'roles revoke',
  summary: 'Take roles from somebody, whose sessions end. Audited.',
  after: 'Whoever is signed in has to sign in again.',
  apply: (roles, named) => roles.filter((role) => !named.includes(role)),
})

type Change = {
  name: string
  summary: string
  after: string
  apply(roles: readonly string[], named: readonly string[]): string[]
}

function change({ name, summary, after, apply }: Change): Command {
  return {
    ...{ name, summary, words: ['<person>', '<role>', '[role …]'], options: {} },
    help: `${who}
  <role>                a role that there is, such as support; roles list names them

${after}`,
    example: 'ada@example.com support',
    async run({ words: [person = '', ...named] }, context) {
      const wrong = named.find((role) => !roleName.test(role))
      if (wrong !== undefined) throw usage(`"${wrong}" is no name of a role.`)
      const session = await context.session()
      const id = await findPerson(session, person)
      const before = await readRoles(session, id)
      const roles = apply(before.roles, named)
      const isSame = roles.length === before.roles.length
      tell(context, person, isSame ? before : await writeRoles(session, before, roles))
      return true
    },
  }
}

function tell({ show }: Context, person: string, state: SubjectRoles): void {
  const { subjectId, roles } = state
  const list = roles.length > 0 ? roles.join(', ') : 'no role'
  show({ json: state, text: `${person}${person === subjectId ? '' : ` (${subjectId})`}: ${list}` })
}

const isId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
// More people whose e-mail has another one's in it there hardly are.
const mostAlike = 100

async function findPerson({ call }: Session, person: string): Promise<string> {
  if (isId.test(person)) return person.toLowerCase()
  if (!person.includes('@')) throw usage(`"${person}" is neither an e-mail nor an id.`)
  const query = new URLSearchParams({ q: person, limit: String(mostAlike) })
  const path = `/api/v1/customers?${query}`
  const { items } = await call<CustomerPage>({ method: 'GET', path })
  const found = items.find(({ email }) => email.toLowerCase() === person.toLowerCase())
  if (found) return found.id
  throw new AppError('not-found', 'PERSON_UNKNOWN', `Nobody has the e-mail ${person} here.`)
}

const pathOf = (id: string) => `/api/v1/subjects/${id}/roles`

function readRoles({ call }: Session, id: string): Promise<SubjectRoles> {
  return call({ method: 'GET', path: pathOf(id) })
}

/** Refused when somebody else changed them meanwhile. */
function writeRoles({ call }: Session, before: SubjectRoles, roles: string[]) {
  return call<SubjectRoles>({
    ...{ method: 'PUT', path: pathOf(before.subjectId) },
    headers: { 'if-match': `"${before.version}"` },
    body: JSON.stringify({ roles }),
  })
}
