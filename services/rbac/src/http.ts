import { type Operations, routes } from '@halles/contracts/gen/http/rbac'
import { type HttpServer, reply, versionEtag, versionFromIfMatch } from '@halles/kit/http-server'
import { requireCaller } from '@halles/kit/tokens'
import type { Assignment, AuditEntry, Role } from './domain.ts'
import type { HeldPolicy } from './held-policy.ts'
import type { Deps } from './ports.ts'
import { deleteRole, permissionsOf, putRole, putSubjectRoles, recordAction } from './use-cases.ts'

export { routes }

/** Serves the contract `rbac`. */
export function serveRbac(
  server: HttpServer<Operations>,
  deps: Deps & { heldPolicy: Pick<HeldPolicy, 'roles'> },
): void {
  const { store, heldPolicy } = deps

  server.on('listRoles', async () => ({ items: (await store.roles()).map(toRoleView) }))

  server.on('getRole', async ({ params }) => withEtag(toRoleView(await store.role(params.role))))

  server.on('putRole', async ({ params, body, headers, caller }) => {
    const role = await putRole(deps, {
      actorId: requireCaller(caller).subjectId,
      role: params.role,
      permissions: body.permissions,
      expectedVersion: expectedVersion(headers['if-match']),
    })
    return withEtag(toRoleView(role))
  })

  server.on('deleteRole', async ({ params, headers, caller }) => {
    await deleteRole(deps, {
      actorId: requireCaller(caller).subjectId,
      role: params.role,
      expectedVersion: expectedVersion(headers['if-match']),
    })
    return reply(undefined)
  })

  server.on('listPermissions', async () => ({
    items: Object.entries(deps.permissions).map(([permission, description]) => ({
      permission,
      description,
    })),
  }))

  server.on('getMyPermissions', async ({ caller }) => {
    const { roles } = requireCaller(caller)
    return { roles: [...roles], permissions: await permissionsOf(roles, heldPolicy.roles()) }
  })

  serveSubjects(server, deps)

  server.on('listAuditLog', async ({ query }) => {
    const { items, nextCursor } = await store.auditLog(query)
    return { items: items.map(toAuditView), nextCursor }
  })

  server.on('recordAuditEntry', async ({ body }) => {
    await recordAction(deps, body)
    return reply(undefined)
  })

  server.on('getPolicy', async () => ({ roles: (await heldPolicy.roles()).map(toRoleView) }))
}

function serveSubjects(server: HttpServer<Operations>, deps: Deps): void {
  const { store } = deps

  server.on('listSubjects', async ({ query }) => {
    const { items, nextCursor } = await store.subjects(query)
    return { items: items.map(toSubjectView), nextCursor }
  })

  server.on('getSubjectRoles', async ({ params }) =>
    withEtag(toSubjectView(await store.assignment(params.subjectId.toLowerCase()))),
  )

  server.on('putSubjectRoles', async ({ params, body, headers, caller }) => {
    const assignment = await putSubjectRoles(deps, {
      actorId: requireCaller(caller).subjectId,
      subjectId: params.subjectId.toLowerCase(),
      roles: body.roles,
      expectedVersion: expectedVersion(headers['if-match']),
    })
    return withEtag(toSubjectView(assignment))
  })
}

function expectedVersion(ifMatch: string | undefined): number | undefined {
  return ifMatch === undefined ? undefined : versionFromIfMatch(ifMatch)
}

function withEtag<View extends { version: number }>(view: View) {
  return reply(view, { headers: { etag: versionEtag(view.version) } })
}

function toRoleView({ role, permissions, version }: Role) {
  return { role, permissions: [...permissions], version }
}

function toSubjectView({ subjectId, roles, version }: Assignment) {
  return { subjectId, roles: [...roles], version }
}

function toAuditView(entry: AuditEntry) {
  return {
    ...entry,
    at: entry.at.toISOString(),
    before: [...entry.before],
    after: [...entry.after],
    details: { ...entry.details },
  }
}
