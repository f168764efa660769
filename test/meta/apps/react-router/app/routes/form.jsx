import { Form, redirect } from 'react-router';

export async function action({ request }) {
  const form = await request.formData();
  const name = form.get('name');
  if (name === null) return { error: 'A name is required.' };
  const size = name instanceof File ? (await name.arrayBuffer()).byteLength : name.length;
  return redirect(`/?size=${size}`, {
    headers: [
      ['Set-Cookie', 'a=1; Path=/'],
      ['Set-Cookie', 'b=2; HttpOnly'],
    ],
  });
}

export default function NameForm({ actionData }) {
  return (
    <Form method="post">
      <input name="name" />
      <p>{actionData?.error}</p>
    </Form>
  );
}
