"use strict";

// Fetches the page periodically and patches only what differs, so that nothing flickers, scrolls or reloads.

const POLL_MILLISECONDS = 2000;

function patch(current, fresh) {
  if (current.nodeType !== fresh.nodeType || current.nodeName !== fresh.nodeName) {
    current.replaceWith(document.importNode(fresh, true));
  } else if (current.nodeType !== Node.ELEMENT_NODE) {
    if (current.nodeValue !== fresh.nodeValue) current.nodeValue = fresh.nodeValue;
  } else {
    for (const { name } of [...current.attributes]) if (!fresh.hasAttribute(name)) current.removeAttribute(name);
    for (const { name, value } of fresh.attributes) {
      if (current.getAttribute(name) !== value) current.setAttribute(name, value);
    }
    const before = [...current.childNodes], after = [...fresh.childNodes];
    after.forEach((node, at) => {
      if (at < before.length) patch(before[at], node);
      else current.append(document.importNode(node, true));
    });
    before.slice(after.length).forEach((node) => node.remove());
  }
}

async function refresh() {
  try {
    const response = await fetch(location.href);
    if (!response.ok) throw new Error(response.statusText);
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    document.title = fresh.title;
    patch(document.querySelector("main"), fresh.querySelector("main"));
    document.body.classList.remove("is-offline");
  } catch {
    document.body.classList.add("is-offline");
  }
}

async function poll() {
  if (!document.hidden) await refresh();
  setTimeout(poll, POLL_MILLISECONDS);
}

setTimeout(poll, POLL_MILLISECONDS);
document.addEventListener("visibilitychange", () => document.hidden || refresh());
