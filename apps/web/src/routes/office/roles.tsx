import {
  type ActionFunctionArgs,
  data,
  Form,
  type LoaderFunctionArgs,
  useActionData,
  useLoaderData,
} from 'react-router'
import { Button } from '../../design/Button.tsx'
import { Field } from '../../design/Field.tsx'
import { Table } from '../../design/Table.tsx'
import { refusalOf, textOf } from '../../server/form.server.ts'
import { useOfficeText } from '../../text/office-text.ts'
import { Confirm, Hidden, PageHead, Refused } from './bits.tsx'
import { openOffice, toDone } from './office.server.ts'

const administrator = 'administrator'

export async function loader(args: LoaderFunctionArgs) {
  const { page, may } = await openOffice(args, ['rbac:read'])
  const [roles, permissions] = await Promise.all([
    page.call('listRoles', {}),
    page.call('listPermissions', {}),
  ])
  return {
    roles: roles.data.items,
    permissions: permissions.data.items,
    mayWrite: may('rbac:write'),
  }
}

export async function action(args: ActionFunctionArgs) {
  const { page } = await openOffice(args, ['rbac:write'])
  const form = await args.request.formData()
  const intent = textOf(form, 'intent')
  const role = textOf(form, 'role')
  const refuse = (code: string) =>
    data({ refusal: { code, fields: [] as readonly string[] }, role }, { status: 422 })
  if (!/^[a-z][a-z0-9-]{1,39}$/.test(role)) return refuse('ROLE_NAME')
  const version = textOf(form, 'version')
  // A new role has no version yet: the same name a second time is refused, not replaced.
  const headers = { 'if-match': `"${/^\d{1,15}$/.test(version) ? version : '0'}"` }
  const params = { role }
  try {
    if (intent === 'remove') await page.call('deleteRole', { params, headers })
    else {
      const permissions = form.getAll('permission').map(String)
      await page.call('putRole', { params, headers, body: { permissions } })
    }
  } catch (error) {
    const { code, fields } = refusalOf(error)
    const isTaken = intent === 'create' && code === 'VERSION_MISMATCH'
    return data({ refusal: { code: isTaken ? 'ROLE_TAKEN' : code, fields }, role }, { status: 422 })
  }
  return toDone('/office/roles', intent === 'remove' ? 'roleRemoved' : 'roleSaved')
}

type Role = Awaited<ReturnType<typeof loader>>['roles'][number]

export default function Roles() {
  const { roles, mayWrite } = useLoaderData<typeof loader>()
  const answer = useActionData<typeof action>()
  const text = useOfficeText()
  return (
    <div className="stack">
      <PageHead title={text.roles} />
      <p className="muted">{text.rolesText}</p>
      <Refused refusal={answer?.refusal} />
      <div hidden>
        {roles.map(({ role }) => (
          <Form key={role} id={`role-${role}`} method="post" preventScrollReset />
        ))}
      </div>
      <div className="office-whole">
        <Matrix />
      </div>
      {mayWrite && (
        <div className="office-two">
          <NewRole refused={answer?.refusal !== undefined} />
          <RemoveRoles roles={roles.filter(({ role }) => role !== administrator)} />
        </div>
      )}
    </div>
  )
}

/** A row for each permission, a column for each role; each column is a form of its own. */
function Matrix() {
  const { roles, permissions, mayWrite } = useLoaderData<typeof loader>()
  const text = useOfficeText()
  return (
    <Table
      caption={text.rolesMatrix}
      columns={[{ label: text.permission }, ...roles.map(({ role }) => ({ label: role }))]}
    >
      {permissions.map(({ permission, description }) => (
        <tr key={permission}>
          <th scope="row">
            {permission}
            <br />
            <span className="muted small">{text.permissions[permission] ?? description}</span>
          </th>
          {roles.map((role) => (
            <td key={role.role}>
              <input
                type="checkbox"
                form={`role-${role.role}`}
                name="permission"
                value={permission}
                defaultChecked={role.permissions.includes(permission)}
                key={role.version}
                disabled={!mayWrite}
                aria-label={text.mayDo(role.role, permission)}
              />
            </td>
          ))}
        </tr>
      ))}
      {mayWrite && (
        <tr>
          <th scope="row">{text.actions}</th>
          {roles.map((role) => (
            <td key={role.role}>
              <SaveRole role={role} />
            </td>
          ))}
        </tr>
      )}
    </Table>
  )
}

function SaveRole({ role: { role, version } }: { role: Role }) {
  const text = useOfficeText()
  const form = `role-${role}`
  return (
    <>
      <input type="hidden" form={form} name="intent" value="save" />
      <input type="hidden" form={form} name="role" value={role} />
      <input type="hidden" form={form} name="version" value={version} />
      <button className="button" data-look="quiet" type="submit" form={form}>
        {text.save} <span className="visually-hidden">{role}</span>
      </button>
    </>
  )
}

function NewRole({ refused }: { refused: boolean }) {
  const { roles } = useLoaderData<typeof loader>()
  const text = useOfficeText()
  return (
    <section className="panel stack">
      <h2>{text.newRole}</h2>
      <Form method="post" className="stack" key={refused ? 'kept' : roles.length}>
        <Hidden intent="create" />
        <Field
          label={text.roleName}
          name="role"
          required
          pattern="[a-z][a-z0-9\-]{1,39}"
          hint={text.roleNameHint}
        />
        <div>
          <Button>{text.create}</Button>
        </div>
      </Form>
    </section>
  )
}

function RemoveRoles({ roles }: { roles: readonly Role[] }) {
  const text = useOfficeText()
  return (
    <section className="panel stack">
      <h2>{text.removeRole}</h2>
      <p className="muted small">{text.removeRoleText}</p>
      {roles.map(({ role, version }) => (
        <Confirm
          key={role}
          label={text.removeNamed(role)}
          question={text.removeRoleQuestion(role)}
          action={text.remove}
          fields={{ intent: 'remove', role, version: String(version) }}
        />
      ))}
    </section>
  )
}
