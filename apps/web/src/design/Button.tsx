import type { ComponentProps } from 'react'
import { Link } from 'react-router'

type Look = { look?: 'quiet' | 'plain' | 'danger'; size?: 'large' }

/** A button of a form; `submit` unless it says otherwise. */
export function Button({ look, size, ...rest }: ComponentProps<'button'> & Look) {
  return <button type="submit" className="button" data-look={look} data-size={size} {...rest} />
}

/** A link that looks like a button: it leads somewhere and changes nothing. */
export function ButtonLink({ look, size, ...rest }: ComponentProps<typeof Link> & Look) {
  return <Link className="button" data-look={look} data-size={size} {...rest} />
}
