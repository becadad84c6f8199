import { createPrivateKey, X509Certificate } from 'node:crypto'
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { runTool } from '../brokers/run-tool.ts'
import { readText } from '../files.ts'

/** A PEM file with certificate, chain and key. */
export type Certificate = { file: string; isSelfMade: boolean; endsAt: Date }

export type CertificateOptions = {
  /** A file of the user; undefined = one is made. */
  given: string | undefined
  /** Where one that is made is kept. */
  folder: string
  openssl: string | undefined
  now: Date
}

const lifeDays = 365
// Whoever started the platform has a month to start it again.
const renewBeforeMs = 30 * 24 * 60 * 60_000

/**
 * The certificate to use: the given one, checked, or one of our own for this machine's names, made
 * anew a month before it ends. Throws an AppError that says what is wrong with the given one, or
 * that openssl is missing.
 */
export async function provideCertificate(options: CertificateOptions): Promise<Certificate> {
  const { given, folder, now } = options
  if (given !== undefined) return { file: given, isSelfMade: false, endsAt: checkGiven(given, now) }
  const file = join(folder, 'certificate.pem')
  const endsAt = usableUntil(file, now) ?? (await make(file, options))
  return { file, isSelfMade: true, endsAt }
}

function unusable(file: string, why: string, cause?: unknown): AppError {
  const message = `The certificate in ${file} cannot be used: ${why}. It must hold certificate, chain and key, as PEM.`
  return new AppError('invalid', 'CERTIFICATE_UNUSABLE', message, { cause })
}

function checkGiven(file: string, now: Date): Date {
  let text: string | undefined
  try {
    text = readText(file)
  } catch (error) {
    throw unusable(file, 'it cannot be read', error)
  }
  if (text === undefined) throw unusable(file, 'there is no such file')
  let certificate: X509Certificate
  let isOurs: boolean
  try {
    certificate = new X509Certificate(text)
    isOurs = certificate.checkPrivateKey(createPrivateKey(text))
  } catch (error) {
    throw unusable(file, 'certificate or key are missing or broken', error)
  }
  if (!isOurs) throw unusable(file, 'the key belongs to another certificate')
  const endsAt = new Date(certificate.validTo)
  if (endsAt <= now) throw unusable(file, `it ended on ${endsAt.toISOString().slice(0, 10)}`)
  return endsAt
}

/** When ours ends; undefined when it is missing, for another name, or soon to end. */
function usableUntil(file: string, now: Date): Date | undefined {
  const text = readText(file)
  if (text === undefined) return undefined
  const certificate = new X509Certificate(text)
  const endsAt = new Date(certificate.validTo)
  const isForUs = dnsNames().every((name) => certificate.checkHost(name) !== undefined)
  return isForUs && endsAt.getTime() - now.getTime() > renewBeforeMs ? endsAt : undefined
}

function dnsNames(): string[] {
  const own = hostname().toLowerCase()
  const isName = /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/.test(own)
  return isName && own !== 'localhost' ? ['localhost', own] : ['localhost']
}

async function make(file: string, { openssl }: CertificateOptions): Promise<Date> {
  if (openssl === undefined) {
    const message =
      'openssl is missing, which makes a certificate for --https-port. Install it, or give a certificate: --certificate FILE.'
    throw new AppError('unavailable', 'OPENSSL_MISSING', message)
  }
  const names = [...dnsNames().map((name) => `DNS:${name}`), 'IP:127.0.0.1', 'IP:::1']
  const keyDraft = `${file}.key`
  const certificateDraft = `${file}.crt`
  try {
    // openssl keeps the mode of a file that is there: nobody else reads the key while it is made.
    writeFileSync(keyDraft, '', { mode: 0o600 })
    await runTool({
      command: openssl,
      args: [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
        ...['-days', String(lifeDays), '-subj', '/CN=Halles on this machine'],
        ...['-addext', `subjectAltName=${names.join(',')}`],
        ...['-addext', 'extendedKeyUsage=serverAuth'],
        ...['-keyout', keyDraft, '-out', certificateDraft],
      ],
      purpose: 'A certificate could not be made',
      limitMs: 30_000,
    })
    const text = `${readText(certificateDraft)}${readText(keyDraft)}`
    writeFileSync(keyDraft, text)
    renameSync(keyDraft, file)
    return new Date(new X509Certificate(text).validTo)
  } finally {
    rmSync(keyDraft, { force: true })
    rmSync(certificateDraft, { force: true })
  }
}
