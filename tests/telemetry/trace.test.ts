import { purchaseAsTrees } from './purchase.ts'

purchaseAsTrees({}, { topics: 'postgresql', queues: 'postgresql' })
