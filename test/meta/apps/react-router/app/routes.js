import { index, route } from '@react-router/dev/routes';

export default [
  index('routes/home.jsx'),
  route('form', 'routes/form.jsx'),
  route('large', 'routes/large.jsx'),
  route('data', 'routes/data.js'),
  route('moved', 'routes/moved.js'),
  route('streamed', 'routes/streamed.jsx'),
  route('throws', 'routes/throws.jsx'),
];
