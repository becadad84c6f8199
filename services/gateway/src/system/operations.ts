import { architecture } from '@halles/contracts/gen/architecture'
import type {
  Operations,
  SystemInstance,
  SystemPicture,
  SystemState,
} from '@halles/contracts/gen/http/gateway'
import { AppError } from '@halles/kit/errors'
import { eventStream, type HttpServer, reply } from '@halles/kit/http-server'
import type { Caller } from '@halles/kit/tokens'
import { requireCaller } from '@halles/kit/tokens'
import type { PartActions } from './actions.ts'
import type { Collector } from './collector.ts'
import type { InstanceRecord } from './records.ts'

export type ConsoleDeps = {
  collector: Collector
  actions: PartActions
  /** The gateways beside this one, by the metrics ports that it was told of. */
  otherGateways(): Promise<SystemState['instances']>
  /** The points that other gateways keep of an instance: somebody may watch there. */
  askPeers(instanceId: string): Promise<SystemInstance['points']>
}

// Who lost the permission meanwhile stops watching by then.
const longestWatchMs = 10 * 60_000

/** The operations behind the console. */
export function addConsole(server: HttpServer<Operations>, deps: ConsoleDeps): void {
  const { collector, actions } = deps
  const { nodes, edges } = architecture

  server.on('getArchitecture', async () => ({ nodes: [...nodes], edges: [...edges] }))

  server.on('watchSystem', async ({ signal }) =>
    eventStream(
      toEvents(collector.watch(AbortSignal.any([signal, AbortSignal.timeout(longestWatchMs)]))),
    ),
  )

  server.on('getSystemInstance', async ({ params: { instanceId } }) => {
    await collector.look()
    const record = collector.find(instanceId)
    if (!record) {
      const text = `No instance ${instanceId} was seen in the last minutes.`
      throw new AppError('not-found', 'INSTANCE_NOT_FOUND', text)
    }
    const others = await deps.askPeers(instanceId)
    return toView(record, others.length > record.points.length ? others : record.points)
  })

  server.on('actOnPart', async ({ params: { partOrInstance: name }, body, caller }) =>
    answer(await actions.act({ name, action: body, actorId: actorOf(caller) })),
  )

  server.on('scalePart', async ({ params: { part }, body: { replicas }, caller }) =>
    answer(await actions.scale({ part, replicas, actorId: actorOf(caller) })),
  )
}

const actorOf = (caller: Caller | undefined) => requireCaller(caller).subjectId

const answer = <T extends { isDone: boolean }>(change: T) =>
  reply(change, { status: change.isDone ? 200 : 202 })

async function* toEvents(pictures: AsyncIterable<SystemPicture>) {
  for await (const picture of pictures) yield { event: 'picture', data: picture }
}

function toView(record: InstanceRecord, points: SystemInstance['points']): SystemInstance {
  const { service, id, address, state, report, rates } = record
  return {
    ...{ service, id, address, state },
    ...(report && { pid: report.pid, startedAt: report.startedAt }),
    points,
    routes: (rates?.routes ?? []).map((route) => ({ ...route })),
    problems: (report?.problems ?? []).map((problem) => ({ ...problem })),
  }
}
