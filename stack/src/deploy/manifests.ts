import { parseAllDocuments } from 'yaml'

export type Labels = Readonly<Record<string, string>>

export type Metadata = { name: string; labels?: Labels; annotations?: Labels }

/** An object of Kubernetes, whose shape the schemas have checked already. */
export type Manifest = {
  apiVersion: string
  kind: string
  metadata: Metadata
  spec?: Readonly<Record<string, unknown>>
  automountServiceAccountToken?: boolean
}

export type Variable = { name: string; value?: string; valueFrom?: unknown }

export type SecurityContext = {
  runAsNonRoot?: boolean
  runAsUser?: number
  readOnlyRootFilesystem?: boolean
  allowPrivilegeEscalation?: boolean
  privileged?: boolean
  capabilities?: { drop?: readonly string[]; add?: readonly string[] }
  seccompProfile?: { type: string }
}

export type Container = {
  name: string
  image?: string
  args?: readonly string[]
  env?: readonly Variable[]
  envFrom?: readonly unknown[]
  resources?: { requests?: Labels; limits?: Labels }
  securityContext?: SecurityContext
  startupProbe?: object
  readinessProbe?: object
  livenessProbe?: object
  lifecycle?: { preStop?: { sleep?: { seconds: number } } }
}

export type PodSpec = {
  containers: readonly Container[]
  initContainers?: readonly Container[]
  serviceAccountName?: string
  automountServiceAccountToken?: boolean
  terminationGracePeriodSeconds?: number
  securityContext?: SecurityContext
  topologySpreadConstraints?: readonly unknown[]
  volumes?: readonly Readonly<Record<string, unknown>>[]
  hostNetwork?: boolean
  hostPID?: boolean
  hostIPC?: boolean
}

/** What makes pods. */
export type Workload = {
  kind: string
  name: string
  /** The service, or `SERVICE-migration`. */
  component: string
  replicas: number | undefined
  labels: Labels
  pod: PodSpec
}

/** Reads a stream of YAML documents, empty ones left out. Throws Error when it is no YAML. */
export function parseManifests(text: string): Manifest[] {
  const found = parseAllDocuments(text)
  const documents = Array.isArray(found) ? found : []
  return documents.flatMap((document) => {
    const [error] = document.errors
    if (error) throw new Error(`The chart renders what is no YAML: ${error.message}`)
    const value: unknown = document.toJS()
    return value === null ? [] : [value as Manifest]
  })
}

const workloadKinds = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'Job'])
const componentLabel = 'app.kubernetes.io/component'

export function workloadsOf(manifests: readonly Manifest[]): Workload[] {
  return manifests
    .filter(({ kind }) => workloadKinds.has(kind))
    .map(({ kind, metadata, spec = {} }) => {
      const template = spec.template as { metadata?: { labels?: Labels }; spec: PodSpec }
      const labels = template.metadata?.labels ?? {}
      const component = labels[componentLabel] ?? metadata.name
      const replicas = spec.replicas as number | undefined
      return { kind, name: metadata.name, component, replicas, labels, pod: template.spec }
    })
}

export type Selector = { matchLabels?: Labels; matchExpressions?: readonly unknown[] }

/** Whether a selector takes in what has these labels; an empty one takes in everything. */
export function selects(selector: Selector, labels: Labels): boolean {
  return Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value)
}
