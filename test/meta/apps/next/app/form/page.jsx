import { cookies } from 'next/headers';
import { redirect } from 'next/navigation';

async function submit(form) {
  'use server';
  const store = await cookies();
  store.set('a', '1');
  store.set('b', '2', { httpOnly: true });
  redirect(`/?size=${form.get('name').length}`);
}

export default function NameForm() {
  return (
    <form action={submit}>
      <input name="name" />
    </form>
  );
}
