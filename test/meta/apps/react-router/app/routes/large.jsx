export default function Large() {
  return (
    <ul>
      {Array.from({ length: 2_000 }, (_, i) => (
        <li key={i}>Entry {i}, größer als eine Zeile</li>
      ))}
    </ul>
  );
}
