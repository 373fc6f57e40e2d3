/** What Prisma generates, as far as the examples use it. The real one is run in the extended tests. */
interface PrismaPromise<A> extends Promise<A> {
  readonly [Symbol.toStringTag]: "PrismaPromise"
}

interface Queries {
  readonly order: {
    readonly create: (args: { readonly data: { readonly id: string } }) => PrismaPromise<{ readonly id: string }>
  }
  readonly $executeRawUnsafe: (query: string, ...values: Array<unknown>) => PrismaPromise<number>
  readonly $queryRawUnsafe: <T = unknown>(query: string, ...values: Array<unknown>) => PrismaPromise<T>
}

export declare class PrismaClient implements Queries {
  readonly order: Queries["order"]
  readonly $executeRawUnsafe: Queries["$executeRawUnsafe"]
  readonly $queryRawUnsafe: Queries["$queryRawUnsafe"]
  readonly $transaction: {
    <P extends Array<PrismaPromise<unknown>>>(all: [...P]): Promise<{ [K in keyof P]: Awaited<P[K]> }>
    <R>(work: (tx: Queries) => Promise<R>): Promise<R>
  }
}
