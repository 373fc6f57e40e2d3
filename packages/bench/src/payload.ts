/** The event that every contender sends. Each serializes the object for each request, as a client must. */

export const topic = "orders.created"

const order = {
  order_id: "ord_01JZ8Q4T6W",
  amount: 4200,
  currency: "EUR",
  paid: true,
  customer: { id: "cus_4711", name: "Zoë Example", email: "zoe@example.com", tags: ["new", "newsletter"] },
  lines: Array.from({ length: 6 }, (_, index) => ({
    sku: `SKU-${1000 + index}`,
    quantity: index + 1,
    price: 99.5 + index,
    title: `Article number ${index}`
  })),
  note: ""
}

const padding = 1024 - Buffer.byteLength(JSON.stringify(order))

/** 1,024 bytes of JSON. */
export const payload = { ...order, note: "x".repeat(padding) }

export const apiKey = "hk_benchmark"
