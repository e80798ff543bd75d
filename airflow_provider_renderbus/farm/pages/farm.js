"use strict";

// Fetches the page again and again, and changes only what differs: nothing flickers, scrolls or loads anew.

const MILLISECONDS = 2000;

function sync(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(document.importNode(fresh, true));
  } else if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
  } else {
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    const before = [...old.childNodes], after = [...fresh.childNodes];
    after.forEach((node, at) => {
      if (at < before.length) sync(before[at], node);
      else old.append(document.importNode(node, true));
    });
    before.slice(after.length).forEach((node) => node.remove());
  }
}

async function look() {
  try {
    const answer = await fetch(location.href);
    if (!answer.ok) throw new Error(answer.statusText);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.title = fresh.title;
    sync(document.querySelector("main"), fresh.querySelector("main"));
    document.body.classList.remove("is-lost");
  } catch {
    document.body.classList.add("is-lost");
  }
}

async function keepLooking() {
  if (!document.hidden) await look();
  setTimeout(keepLooking, MILLISECONDS);
}

setTimeout(keepLooking, MILLISECONDS);
document.addEventListener("visibilitychange", () => document.hidden || look());
