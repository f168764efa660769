export default function Static() {
  return <h1>Prerendered</h1>;
}
