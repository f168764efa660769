import { fail, redirect } from '@sveltejs/kit';

export const actions = {
  default: async ({ request, cookies }) => {
    const name = (await request.formData()).get('name');
    if (name === null) return fail(400, { error: 'A name is required.' });
    const size = name instanceof File ? (await name.arrayBuffer()).byteLength : name.length;
    cookies.set('a', '1', { path: '/', secure: false });
    cookies.set('b', '2', { path: '/form', httpOnly: true, secure: false });
    redirect(303, `/?size=${size}`);
  },
};
