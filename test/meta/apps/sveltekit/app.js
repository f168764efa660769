// The handler that adapter-node builds. It has three parameters, so that fromNode() says what it is.
import { fromNode } from 'loopshard/adapters';
import { handler } from './build/handler.js';

export default fromNode(handler);
