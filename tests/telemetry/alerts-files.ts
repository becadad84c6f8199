import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parse } from 'yaml'

export const root = resolve(import.meta.dirname, '../..')
export const rulesFile = resolve(root, 'deploy/observability/prometheus/rules.yaml')

export type Rule = {
  alert: string
  expr: string
  for?: string
  labels: { severity: string }
  annotations: { summary: string; runbook_url: string }
}

export function readRules(): Rule[] {
  const { groups } = parse(readFileSync(rulesFile, 'utf8')) as { groups: { rules: Rule[] }[] }
  return groups.flatMap(({ rules }) => rules)
}

/**
 * The same rules for somebody in a hurry: whatever has to last, lasts a second, what is looked at over
 * minutes is looked at over seconds, and a message is old after two seconds. Other thresholds stay.
 */
export function hurriedRules(): string {
  return readFileSync(rulesFile, 'utf8')
    .replaceAll(/^( +for:) \w+$/gm, '$1 1s')
    .replaceAll(/\[\d+[mh]\]/g, '[10s]')
    .replace('(outbox_oldest_age_seconds) > 60', '(outbox_oldest_age_seconds) > 2')
}
