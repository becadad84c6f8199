import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { providePrograms } from './brokers/install.ts'
import { findPrograms } from './brokers/programs.ts'
import { shortSocketPath } from './control.ts'
import { readJson, readText, writeJson } from './files.ts'
import { choosePorts } from './free-ports.ts'
import { type Certificate, provideCertificate } from './haproxy/certificate.ts'
import { defaultLimits } from './haproxy/configuration.ts'
import { createHaproxy, type GatewayAddress, type Haproxy } from './haproxy/haproxy.ts'
import type { KeptProcessOptions } from './kept-process.ts'
import type { Logs } from './logs.ts'
import type { Report } from './report.ts'

/** Who listens where people come in: HAProxy, or the gateways, which share the port. */
export type EdgeKind = 'haproxy' | 'shared-port'

/** What a start was told of its edge. */
export type EdgeWanted = {
  /** Undefined = HAProxy where it is preferred and can be had. */
  kind: EdgeKind | undefined
  isPreferred: boolean
  /** Needs HAProxy. */
  https?: { port: number; certificate: string | undefined } | undefined
}

/** Which edge it is; installs HAProxy where that is possible. Throws an AppError when it must be had. */
export async function chooseEdge(
  { kind, isPreferred, https }: EdgeWanted,
  { report, signal }: { report: Report; signal: AbortSignal },
): Promise<EdgeKind> {
  const isRequired = kind === 'haproxy' || https !== undefined
  if (kind === 'shared-port' || !(isRequired || isPreferred)) return 'shared-port'
  const makesCertificate = https !== undefined && https.certificate === undefined
  const names = ['haproxy', ...(makesCertificate ? ['openssl' as const] : [])] as const
  const otherwise = 'Or start without it: --edge shared-port, and no --https-port.'
  try {
    await providePrograms({ names, otherwise, report, signal })
    return 'haproxy'
  } catch (error) {
    if (isRequired || !(error instanceof AppError)) throw error
    report.note('HAProxy is not installed: the gateways share the port.')
    return 'shared-port'
  }
}

export type EdgeOptions = {
  /** An open data folder. */
  dataFolder: string
  host: string
  port: number
  https: EdgeWanted['https']
  gateways: readonly GatewayAddress[]
  logs: Logs
  report: Report
  onChange: KeptProcessOptions['onChange']
}

export type Edge = {
  haproxy: Haproxy
  certificate: Certificate | undefined
  /** Spreads requests over these gateways from now on. */
  follow(gateways: readonly GatewayAddress[]): void
  /** Those of the gateways that get no requests; nobody is waited for while HAProxy is away. */
  unused(gateways: readonly string[]): Promise<string[]>
  close(): void
}

// Whoever renews a certificate does so days before it ends.
const certificateCheckMs = 60 * 60_000
// HAProxy binds to a longer name first and renames it.
const maxSocketBytes = 80
const yearSeconds = 365 * 24 * 60 * 60

/** HAProxy for a stack, not yet started. */
export async function openEdge(options: EdgeOptions): Promise<Edge> {
  const { dataFolder, host, port, https, logs, report } = options
  const folder = join(dataFolder, 'haproxy')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const { haproxy: binary = 'haproxy', openssl } = findPrograms()
  const findCertificate = (given: string | undefined) =>
    provideCertificate({ given, folder, openssl, now: new Date() })
  const certificate = https && (await findCertificate(https.certificate))
  const haproxy = await createHaproxy({
    binary,
    folder,
    isTemporary: false,
    logFd: logs.open('haproxy'),
    logTail: () => logs.tail('haproxy', 8),
    onChange: options.onChange,
    settings: {
      http: { host, port },
      ...(https && certificate
        ? {
            tls: {
              ...{ host, port: https.port, certificate: certificate.file, isRequired: false },
              hstsSeconds: certificate.isSelfMade ? undefined : yearSeconds,
            },
          }
        : {}),
      limits: defaultLimits,
    },
    gateways: options.gateways,
    ports: await placeHaproxy(dataFolder),
    adminSocket: shortSocketPath(join(folder, 'admin.sock'), maxSocketBytes),
  })

  const complain = (error: unknown) =>
    report.problem(error instanceof Error ? error.message : String(error))
  let used = certificate && readText(certificate.file)
  async function renew(): Promise<void> {
    const { file } = await findCertificate(https?.certificate)
    const text = readText(file)
    if (text === used) return
    await haproxy.reload()
    used = text
  }
  const timer = setInterval(() => void (https && renew().catch(complain)), certificateCheckMs)
  timer.unref()

  return {
    haproxy,
    certificate,
    // The list of before stays in force; the next change is another attempt.
    follow: (gateways) => void haproxy.setGateways(gateways).catch(complain),
    async unused(gateways) {
      if (haproxy.status().state !== 'ready') return []
      const used = await haproxy.usedGateways()
      return gateways.filter((name) => !used.includes(name))
    },
    close: () => clearInterval(timer),
  }
}

async function placeHaproxy(dataFolder: string): Promise<Record<'metrics' | 'changes', number>> {
  const file = join(dataFolder, 'ports.json')
  const previous = (readJson(file) ?? {}) as Record<string, number>
  const ports = await choosePorts(['haproxy.metrics', 'haproxy.changes'], previous)
  writeJson(file, { ...previous, ...ports })
  return { metrics: ports['haproxy.metrics'] ?? 0, changes: ports['haproxy.changes'] ?? 0 }
}
