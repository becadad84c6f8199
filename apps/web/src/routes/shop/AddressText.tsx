import type { Address } from '@halles/contracts/gen/http/customers'
import type { Country } from '../../server/address.server.ts'

/** An address as it stands on a parcel. */
export function AddressText({
  address,
  countries,
}: {
  address: Address
  countries: readonly Country[]
}) {
  const { name, line1, line2, postalCode, city, region, country } = address
  const named = countries.find(({ code }) => code === country)?.name ?? country
  const lines = [name, line1, line2, `${postalCode} ${city}`, region, named]
  return (
    <address className="address">
      {lines.filter(Boolean).map((line) => (
        <span key={line}>{line}</span>
      ))}
    </address>
  )
}
