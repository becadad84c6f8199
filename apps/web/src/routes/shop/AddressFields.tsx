import type { Address } from '@halles/contracts/gen/http/customers'
import { Field, Select } from '../../design/Field.tsx'
import type { Country } from '../../server/address.server.ts'
import { useShopText } from '../../text/shop-text.ts'

/** The fields of an address, named as `addressOf` reads them. */
export function AddressFields({
  address,
  countries,
  likely,
  wrong = [],
  isRequired = true,
}: {
  address?: Partial<Address> | undefined
  countries: readonly Country[]
  /** The country before one is chosen. */
  likely: string
  /** Fields that were refused. */
  wrong?: readonly string[]
  /** False where another choice makes the fields superfluous. */
  isRequired?: boolean
}) {
  const { address: label, invalid, optional } = useShopText()
  const error = (field: 'name' | 'line1' | 'postalCode' | 'city' | 'country') =>
    wrong.includes(field) ? invalid[field] : undefined
  return (
    <div className="address-fields">
      <Field
        label={label.name}
        name="name"
        autoComplete="name"
        maxLength={100}
        required={isRequired}
        defaultValue={address?.name}
        error={error('name')}
      />
      <Field
        label={label.line1}
        name="line1"
        autoComplete="address-line1"
        maxLength={200}
        required={isRequired}
        defaultValue={address?.line1}
        error={error('line1')}
      />
      <Field
        label={`${label.line2} ${optional}`}
        name="line2"
        autoComplete="address-line2"
        maxLength={200}
        defaultValue={address?.line2}
      />
      <Field
        label={label.postalCode}
        name="postalCode"
        autoComplete="postal-code"
        maxLength={20}
        required={isRequired}
        defaultValue={address?.postalCode}
        error={error('postalCode')}
      />
      <Field
        label={label.city}
        name="city"
        autoComplete="address-level2"
        maxLength={100}
        required={isRequired}
        defaultValue={address?.city}
        error={error('city')}
      />
      <Field
        label={`${label.region} ${optional}`}
        name="region"
        autoComplete="address-level1"
        maxLength={100}
        defaultValue={address?.region}
      />
      <Select
        label={label.country}
        name="country"
        autoComplete="country"
        defaultValue={address?.country || likely}
        error={error('country')}
      >
        {countries.map(({ code, name }) => (
          <option key={code} value={code}>
            {name}
          </option>
        ))}
      </Select>
    </div>
  )
}
