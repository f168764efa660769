export default defineEventHandler((event) => {
  setResponseStatus(event, 201);
  setHeader(event, 'ETag', '"1"');
  return { data: [1, 2, 3] };
});
