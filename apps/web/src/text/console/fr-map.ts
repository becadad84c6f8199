import type { ConsoleText } from './en.ts'

const decimals = new Intl.NumberFormat('fr', { maximumFractionDigits: 1 })
const whole = new Intl.NumberFormat('fr', { maximumFractionDigits: 0 })
const compact = new Intl.NumberFormat('fr', { notation: 'compact', maximumFractionDigits: 1 })
const short = (value: number) =>
  (value < 10 ? decimals : value < 1_000 ? whole : compact).format(value)
const seconds = (value: number) =>
  value < 90 ? `${whole.format(value)} s` : `${whole.format(value / 60)} min`

/** Les mots de l’image vivante. */
export const mapWords: ConsoleText['map'] = {
  title: 'L’architecture, en direct',
  names: { client: 'Navigateurs et applis', balancer: 'Répartiteur de charge' },
  kinds: {
    client: 'clients',
    gateway: 'passerelles',
    service: 'service',
    database: 'base de données',
    queue: 'file',
    topic: 'sujet',
    provider: 'prestataire de paiement',
    app: 'serveur web',
    balancer: 'répartiteur de charge',
    cache: 'cache partagé',
  },
  states: {
    ready: 'prête',
    starting: 'démarre',
    draining: 's’arrête',
    frozen: 'figée',
    unhealthy: 'muette',
    ejected: 'écartée',
    stopped: 'arrêtée',
  },
  sharedPort: 'un port partagé',
  sandbox: 'bac à sable',
  pages: 'pages',
  sharedCache: 'cache partagé',
  cache: 'servi du cache',
  webhooks: 'webhooks',
  deadLetters: 'lettres mortes',
  deadCount: (count) => {
    if (count === null) return 'inconnu'
    if (count === 0) return 'aucune'
    return count === 1
      ? '1 message attend une décision'
      : `${short(count)} messages attendent une décision`
  },
  rate: (perSecond) => `${short(perSecond)}/s`,
  number: short,
  time: (ms) => (ms < 1_000 ? `${short(ms)} ms` : `${short(ms / 1_000)} s`),
  seconds,
  percent: (ratio) => `${whole.format(100 * ratio)} %`,
  behind: (count) => `${short(count)} en attente`,
  someReady: (ready, all) => `${ready} sur ${all}`,
  slowBy: (ms) => `+${short(ms)} ms`,
  poolBusy: (busy, size) => `${busy} connexions sur ${size} occupées`,
  outboxWaits: (count, age) => `boîte d’envoi : ${short(count)}, depuis ${seconds(age)}`,
  opening: 'L’image s’ouvre …',
  live: 'En direct',
  lost: (time) => `Plus d’image depuis ${time}. Nouvelle connexion …`,
  lostAtOnce: 'Pas encore d’image. Nouvelle connexion …',
  needsScripts: 'L’image vivante a besoin de scripts, désactivés dans ce navigateur.',
  table: 'Toutes les parties en tableau',
  part: 'Partie',
  kind: 'Genre',
  state: 'État',
  instances: 'Instances',
  requests: 'Requêtes',
  failures: 'Échecs',
  slowest: '95 % en moins de',
  more: 'Autres chiffres',
  arrows: 'Toutes les flèches en tableau',
  from: 'De',
  to: 'À',
  traffic: 'Trafic',
  breaker: 'Disjoncteur',
  breakers: { closed: 'fermé', open: 'ouvert', 'half-open': 'à moitié ouvert' },
  legend: 'Légende',
  legends: {
    http: 'HTTP',
    grpc: 'gRPC',
    queue: 'commande',
    topic: 'événement',
    failing: 'échecs',
    open: 'disjoncté',
  },
  news: {
    state: (instance, state) => `${instance} : ${state}.`,
    breaker: (from, to, state) => `Le disjoncteur de ${from} vers ${to} est ${state}.`,
    dead: (count) => `Lettres mortes : ${count}.`,
  },
  enterFull: 'Plein écran',
  leavePresent: 'Quitter la présentation',
  panel: {
    close: 'Fermer',
    lastMinutes: 'Les cinq dernières minutes',
    numbers: {
      requests: 'Requêtes par seconde',
      failures: 'Échecs par seconde',
      p95Ms: '95 % des réponses en, ms',
      hitPercent: 'Servi du cache, %',
      memoryMb: 'Mémoire, Mo',
      busy: 'Connexions occupées',
      waiting: 'En attente',
      lag: 'Messages de retard',
    },
    noNumbers: 'Les chiffres viennent avec les prochaines images.',
    instance: 'Instance',
    process: 'Processus',
    memory: 'Mémoire',
    cpu: 'Processeur',
    restarts: 'Redémarrages',
    consumers: 'Consommateurs',
    consumer: 'Consommateur',
    lastErrors: 'Dernières erreurs',
    noErrors: 'Aucune depuis son démarrage.',
    errorsUnknown: 'Les erreurs sont illisibles pour le moment.',
    routes: 'Routes les plus actives',
    route: 'Route',
    notLocal:
      'On ne peut arrêter ou déranger les parties d’ici que si tout tourne sur une machine.',
    notAllowed: 'Votre rôle peut regarder, pas déranger. Il y faut la permission system:write.',
    notRunHere: 'Cette partie ne tourne pas dans la pile : on ne peut pas la déranger d’ici.',
    disturb: 'Essayer ce qui arrive',
    whom: 'Qui',
    allInstances: 'Toutes les instances',
    actions: {
      start: 'Démarrer',
      stop: 'Arrêter',
      kill: 'Tuer',
      freeze: 'Figer',
      thaw: 'Dégeler',
      slow: 'Ralentir',
      restart: 'Redémarrer',
      scale: 'Mettre à l’échelle',
    },
    asks: {
      start: (name) => `Démarrer ${name} ?`,
      stop: (name) => `Arrêter ${name} ?`,
      kill: (name) => `Tuer ${name} ?`,
      freeze: (name) => `Figer ${name} ?`,
      thaw: (name) => `Dégeler ${name} ?`,
      slow: (name) => `Ralentir ${name} ?`,
      restart: (name) => `Redémarrer ${name} ?`,
      scale: (name) => `Combien d’instances de ${name} ?`,
    },
    means: {
      start: 'Elle démarre et reçoit des requêtes dès qu’elle est prête.',
      stop: 'Elle finit ce qu’elle fait et reste absente jusqu’à ce qu’on la redémarre.',
      kill: 'Elle meurt sur le coup, comme dans une panne : ce qu’elle répondait est perdu. Elle redémarre d’elle-même.',
      freeze:
        'Elle s’immobilise sans mourir : les connexions restent ouvertes et personne ne répond, jusqu’au dégel.',
      thaw: 'Elle reprend là où elle s’était immobilisée.',
      slow: 'Tout ce qu’on lui envoie arrive avec ce retard. 0 y met fin.',
      restart: 'Ses instances sont remplacées l’une après l’autre, pour que les autres répondent.',
      scale:
        'Les nouvelles reçoivent des requêtes une fois prêtes ; celles qui partent finissent d’abord.',
    },
    shoppers: 'Ce que les clients remarquent',
    othersGoOn: (count) =>
      count === 1
        ? 'Une autre instance continue : les clients ne devraient rien remarquer.'
        : `${count} autres instances continuent : les clients ne devraient rien remarquer.`,
    noticed: {
      auth: 'Qui est connecté continue. Personne ne peut se connecter ni finir de s’inscrire.',
      rbac: 'Rien pour leurs paniers et commandes. Le personnel garde un temps les dernières permissions connues.',
      customers: 'Profil et adresses sont absents. Les achats et la connexion continuent.',
      products: 'Le catalogue reste affiché, marqué comme plus ancien. Personne ne peut commander.',
      wishlists: 'La liste d’envies dit qu’elle est absente. Tout le reste continue.',
      carts: 'Les paniers disent qu’ils sont absents. On peut voir le catalogue et les commandes.',
      orders:
        'On regarde et remplit son panier. Personne ne peut commander ; les paiements reçus sont réessayés.',
      payments:
        'Personne ne peut payer. Les commandes en attente sont réglées plus tard, rien n’est débité deux fois.',
      gateway: 'Sans aucune passerelle, plus de boutique. Tant qu’il en reste une, rien.',
      web: 'Les pages sont absentes ; les applis qui utilisent l’API continuent.',
      postgres:
        'Chaque service est privé de sa base : ne reste que ce dont les passerelles se souviennent.',
      redis: 'Rien : chaque passerelle retient et compte pour elle-même.',
      rabbitmq:
        'Rien tout de suite : inscriptions et mots de passe s’appliquent au retour de la file.',
      kafka: 'Rien tout de suite : les prix changés arrivent au retour des sujets.',
      haproxy: 'Personne n’atteint la boutique.',
      'stripe-sandbox': 'Personne ne peut payer. Les commandes en attente sont réglées plus tard.',
    },
    noticedOther: 'Ce qui a besoin de cette partie est absent ; le reste continue.',
    milliseconds: 'Millisecondes',
    replicas: 'Instances',
    cancel: 'Ne rien faire',
    done: (action, name) => `${action} : ${name}. C’est fait.`,
    underWay: (action, name) => `${action} : ${name}. En cours ; regardez l’image.`,
  },
}
