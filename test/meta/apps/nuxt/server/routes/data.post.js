export default defineEventHandler((event) => {
  setHeader(event, 'content-type', 'application/octet-stream');
  return getRequestWebStream(event);
});
