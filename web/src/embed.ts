/** The element for other pages: <script type="module" src=".../activity-feed.js">. */
export { ActivityFeed } from './feed/feed.js';
