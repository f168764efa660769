export default defineEventHandler(async (event) => {
  const form = await readFormData(event);
  const name = form.get('name');
  if (name === null) throw createError({ statusCode: 400, statusMessage: 'A name is required.' });
  setCookie(event, 'a', '1', { path: '/' });
  setCookie(event, 'b', '2', { httpOnly: true });
  return sendRedirect(event, `/?size=${name.length}`, 303);
});
