import {
  type ActionFunctionArgs,
  Form,
  type LoaderFunctionArgs,
  useActionData,
  useLoaderData,
} from 'react-router'
import { Breadcrumbs } from '../../design/Breadcrumbs.tsx'
import { Button } from '../../design/Button.tsx'
import { Notice } from '../../design/Notice.tsx'
import { textOf } from '../../server/form.server.ts'
import { useOfficeText } from '../../text/office-text.ts'
import { Hidden, PageHead, Refused } from './bits.tsx'
import { idOf, openOffice, refused, toDone } from './office.server.ts'
import { findPeople } from './people.server.ts'

export async function loader(args: LoaderFunctionArgs) {
  const office = await openOffice(args, ['rbac:read'])
  const { page, may } = office
  const subjectId = idOf(args, 'subjectId')
  const [subject, roles, people] = await Promise.all([
    page.call('getSubjectRoles', { params: { subjectId } }),
    page.call('listRoles', {}),
    findPeople(office, [subjectId]),
  ])
  return {
    subject: subject.data,
    roles: roles.data.items,
    person: people.get(subjectId) ?? null,
    mayWrite: may('rbac:write'),
    isMe: subjectId === page.visit.session?.customerId,
  }
}

export async function action(args: ActionFunctionArgs) {
  const { page } = await openOffice(args, ['rbac:write'])
  const subjectId = idOf(args, 'subjectId')
  const form = await args.request.formData()
  const version = textOf(form, 'version')
  const roles = form.getAll('role').map(String)
  try {
    await page.call('putSubjectRoles', {
      params: { subjectId },
      headers: /^\d{1,15}$/.test(version) ? { 'if-match': `"${version}"` } : {},
      body: { roles },
    })
  } catch (error) {
    return refused(error)
  }
  return toDone(`/office/staff/${subjectId}`, 'rolesSaved')
}

export default function StaffMember() {
  const { subject, roles, person, mayWrite, isMe } = useLoaderData<typeof loader>()
  const refusal = useActionData<typeof action>()?.refusal
  const text = useOfficeText()
  const name = person?.name ?? subject.subjectId
  return (
    <div className="stack">
      <Breadcrumbs
        label={text.trail}
        trail={[{ to: '/office/staff', label: text.staff }, { label: name }]}
      />
      <PageHead title={name} />
      {person && <p className="muted">{person.email}</p>}
      {isMe && <Notice tone="warn">{text.ownRoles}</Notice>}
      <Refused refusal={refusal} />
      <Form method="post" className="panel stack" key={subject.version}>
        <Hidden version={String(subject.version)} />
        <fieldset disabled={!mayWrite} className="stack">
          <legend className="field-label">{text.roles}</legend>
          {roles.map(({ role, permissions }) => (
            <label key={role} className="office-check">
              <input
                type="checkbox"
                name="role"
                value={role}
                defaultChecked={subject.roles.includes(role)}
              />
              <span>
                {role}
                <br />
                <span className="muted small">{permissions.join(', ') || text.noPermissions}</span>
              </span>
            </label>
          ))}
        </fieldset>
        <p className="muted small">{text.rolesNote}</p>
        {mayWrite && (
          <div>
            <Button>{text.save}</Button>
          </div>
        )}
      </Form>
    </div>
  )
}
