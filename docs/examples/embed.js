// Your own server makes a short-lived token for the user who is signed in: tenant, e-mail, scope, an hour to live.
// A function is asked before each request, so that a token which ended is replaced without a reload.
let token;

async function freshToken() {
  if (!token || token.ends < Date.now() + 60_000) {
    const answer = await fetch('/activity-token', { method: 'POST' });
    if (!answer.ok) throw new Error(`no token: ${answer.status}`);
    token = await answer.json(); // {"value": "eyJ...", "ends": 1795390000000}
  }
  return token.value;
}

const feed = document.querySelector('activity-feed');
feed.token = freshToken;
feed.addEventListener('activity-open', (event) => console.log('opened', event.detail.event_id));
