export function GET({ redirect }) {
  return redirect('/data', 301);
}
