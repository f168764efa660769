import { Suspense } from 'react';

export const dynamic = 'force-dynamic';

// The client opens the gate when it has received the first part.
async function Late({ gate }) {
  const response = await fetch(gate, { cache: 'no-store' });
  return <p>{await response.text()}</p>;
}

export default async function Streamed({ searchParams }) {
  const { gate } = await searchParams;
  return (
    <Suspense fallback={<p>Pending</p>}>
      <Late gate={gate} />
    </Suspense>
  );
}
