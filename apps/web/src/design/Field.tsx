import { type ComponentProps, type ReactNode, useId } from 'react'

type Labelled = {
  label: ReactNode
  hint?: ReactNode
  /** What is wrong with the value. */
  error?: ReactNode
}

/** A labelled input with hint and error, tied together for screen readers. */
export function Field({ label, hint, error, ...input }: ComponentProps<'input'> & Labelled) {
  const id = useId()
  return (
    <Frame {...{ id, label, hint, error }}>
      <input id={id} {...describe(id, { hint, error })} {...input} />
    </Frame>
  )
}

/** A labelled choice; the options are its children. */
export function Select({ label, hint, error, ...select }: ComponentProps<'select'> & Labelled) {
  const id = useId()
  return (
    <Frame {...{ id, label, hint, error }}>
      <select id={id} {...describe(id, { hint, error })} {...select} />
    </Frame>
  )
}

/** A labelled text of several lines. */
export function TextArea({ label, hint, error, ...area }: ComponentProps<'textarea'> & Labelled) {
  const id = useId()
  return (
    <Frame {...{ id, label, hint, error }}>
      <textarea id={id} {...describe(id, { hint, error })} {...area} />
    </Frame>
  )
}

function describe(id: string, { hint, error }: Pick<Labelled, 'hint' | 'error'>) {
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(' ')
  return {
    ...(described === '' ? {} : { 'aria-describedby': described }),
    ...(error ? { 'aria-invalid': true as const } : {}),
  }
}

function Frame({
  id,
  label,
  hint,
  error,
  children,
}: Labelled & { id: string; children: ReactNode }) {
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children}
      {hint && (
        <span className="field-hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
      {error && (
        <span className="field-error" id={`${id}-error`}>
          {error}
        </span>
      )}
    </div>
  )
}
