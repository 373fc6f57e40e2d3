/** The signature vectors of protocol section 4.3, for every cover of the kernel. */

export const secret = "whsec_test_secret"
export const deliveryId = "01JXAMPLEDELIVERYID0000000"
/** When they were signed, in seconds since 1970. */
export const t = 1781092800

export const vectors: ReadonlyArray<readonly [body: string, mac: string]> = [
  [`{"order_id":"o_1","amount":42}`, "d270845b932d510270e3b7132b702de5b0c03c3781221badb79fe39c66672644"],
  [`{"amount": 42, "order_id": "o_1"}`, "677d87835dacadc49aad7b3dbb29194298af6b74f285168962ee123200342c34"],
  ["", "42632ca7c8af0bb35f2d50f4e98bbb536149826d386a5c46e4bde4164d97cbec"],
  ["null", "aec4e823cfc753d2e49f7b12e1680d75fdb66bd14cb2c8537e153a5094dc124c"],
  [`{"name": "é😀"}`, "7bbe25764262956eee43e16b08cf849fe8fa742968a3c7d52907c4edec73eb56"],
  [
    `{"a": 1.00, "b": 1, "n": 1000, "s": "/", "u": "é", "z": 0, "aa": 2}`,
    "5a789c6d87e5dc1fd30731e9e5fea39a10024ff8dd5763be97ab288fbb7696c4"
  ]
]

/** Of the first body, made without the `whsec_`: to be refused. */
export const negativeMac = "d5f857cac2d5eeb3a62faa3b2aaac4eb1b476de2409ad42a7cba6aab44cd79a9"
