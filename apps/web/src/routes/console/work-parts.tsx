import { Notice } from '../../design/Notice.tsx'
import type { Refusal } from '../../server/form.server.ts'
import { useConsoleText } from '../../text/console-text.ts'
import { formatMoment } from '../../text/format.ts'
import { useLanguage } from '../../text/use-language.ts'

export function Moment({ at }: { at: string }) {
  const language = useLanguage()
  return (
    <time dateTime={at} className="numeric">
      {formatMoment(at, language)}
    </time>
  )
}

export function RefusalNotice({ refusal: { code } }: { refusal: Refusal }) {
  const { errors } = useConsoleText().work
  return <Notice tone="bad">{errors[code] ?? errors.other}</Notice>
}
