import { pictureUrl } from '../pictures/picture-url.ts'

type Pictured = {
  /** A slug, or a title where there is none. */
  name: string
  category?: string | null
  image?: { url: string; alt: string | null } | null
}

/** A product's picture, or the one that we draw; always square, so that nothing moves when it comes. */
export function Picture({
  of,
  size,
  alt = '',
  isFirst = false,
}: {
  of: Pictured
  /** Pixels of its side in the layout. */
  size: number
  /** Empty where a title stands beside it. */
  alt?: string
  /** The largest thing of the page: fetched before others. */
  isFirst?: boolean
}) {
  return (
    <img
      className="picture"
      src={of.image?.url ?? pictureUrl(of.name, of.category)}
      alt={alt}
      width={size}
      height={size}
      decoding="async"
      referrerPolicy="no-referrer"
      {...(isFirst ? { fetchPriority: 'high' as const } : { loading: 'lazy' as const })}
    />
  )
}
