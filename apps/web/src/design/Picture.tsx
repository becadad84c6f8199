import { pictureUrl } from '../pictures/picture-url.ts'

type Pictured = {
  /** A slug, or a title where there is none. */
  name: string
  category?: string | null
  image?: { url: string; alt: string | null; id?: string; width?: number } | null
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
      {...sourcesOf(of.image, isFirst ? widest(size) : `auto, ${widest(size)}`)}
      alt={alt}
      width={size}
      height={size}
      decoding="async"
      referrerPolicy="no-referrer"
      {...(isFirst ? { fetchPriority: 'high' as const } : { loading: 'lazy' as const })}
    />
  )
}

const smaller = [320, 640]

/** On a phone no picture is wider than the screen. Browsers know what is lazy better: `auto`. */
const widest = (size: number) => `min(${size}px, 100vw)`

/** An uploaded picture lies there in several widths: the browser takes what its screen needs. */
function sourcesOf(image: Pictured['image'], sizes: string) {
  if (!image?.id || !image.width) return {}
  const { url, width } = image
  const folder = url.slice(0, url.lastIndexOf('/'))
  const sources = smaller
    .filter((each) => each < width)
    .map((each) => `${folder}/${each}.webp ${each}w`)
  return { srcSet: [...sources, `${url} ${width}w`].join(', '), sizes }
}
