export default function Page() {
  return (
    <main>
      POST an order to <code>/api/orders</code>.
    </main>
  )
}
