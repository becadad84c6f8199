import type { ReceivedSpan } from './receiver.ts'

/** The spans of one trace. */
export type Tree = {
  readonly spans: readonly ReceivedSpan[]
  /** Spans that are below none. */
  readonly roots: readonly ReceivedSpan[]
  /** Spans whose parent has not arrived. */
  readonly orphans: readonly ReceivedSpan[]
  childrenOf(span: ReceivedSpan): readonly ReceivedSpan[]
}

export function toTree(spans: readonly ReceivedSpan[], traceId: string): Tree {
  const own = spans
    .filter((span) => span.traceId === traceId)
    .sort((a, b) => (a.startNanos < b.startNanos ? -1 : 1))
  const ids = new Set(own.map(({ spanId }) => spanId))
  const byParent = Map.groupBy(own, ({ parentSpanId }) => parentSpanId)
  return {
    spans: own,
    roots: byParent.get(undefined) ?? [],
    orphans: own.filter(({ parentSpanId: id }) => id !== undefined && !ids.has(id)),
    childrenOf: ({ spanId }) => byParent.get(spanId) ?? [],
  }
}

const kinds = ['', 'internal', 'server', 'client', 'producer', 'consumer']

/** One line a span, indented below its parent: service, kind and name. */
export function drawTree(tree: Tree): string[] {
  const draw = (span: ReceivedSpan, depth: number): string[] => {
    const { resource, kind, name } = span
    const line = `${'  '.repeat(depth)}${resource['service.name']} ${kinds[kind]} ${name}`
    return [line, ...tree.childrenOf(span).flatMap((child) => draw(child, depth + 1))]
  }
  return tree.roots.flatMap((root) => draw(root, 0))
}
