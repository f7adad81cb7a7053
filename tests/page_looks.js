// What a tool for accessibility would say first of a page; evaluated in it by tests/test_demo_page.py.
(() => {
  const all = (selector) => [...document.querySelectorAll(selector)].filter((found) => found.checkVisibility());
  const named = (found) => `${found.tagName.toLowerCase()} ${(found.textContent || found.id).trim().slice(0, 40)}`;
  const PRESSED = "a[href], button, input, summary";

  const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = channels(colour).map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (found) => {
    const colour = getComputedStyle(found).backgroundColor;
    const [, , , alpha = 1] = channels(colour);
    return alpha === 1 || !found.parentElement ? colour : behind(found.parentElement);
  };
  const contrast = (found) => {
    const [a, b] = [luminance(getComputedStyle(found).color), luminance(behind(found))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };

  return {
    focusable: () => all(PRESSED).map(named),
    focused: () => {
      const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
      return [named(document.activeElement), outlineStyle !== "none" && parseFloat(outlineWidth) >= 2];
    },
    complaints: () => {
      const found = [];
      const must = (holds, what) => holds || found.push(what);
      must(document.documentElement.lang, "no language");
      must(document.title, "no title");
      must(all("h1").length === 1 && all("main").length === 1, "not one h1 in one main");
      must(document.documentElement.scrollWidth <= document.documentElement.clientWidth, "scrolls sideways");
      all("h1, h2, h3").reduce((before, heading) => {
        const level = Number(heading.tagName[1]);
        must(level <= before + 1, `a level is left out before ${named(heading)}`);
        return level;
      }, 0);
      const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
      must(new Set(ids).size === ids.length, "an id is there twice");
      for (const input of all("input")) must(input.labels.length === 1, `no label: ${input.id}`);
      for (const section of all("section")) must(document.getElementById(section.getAttribute("aria-labelledby")), "a section without a name");
      for (const heading of all("th")) must(heading.scope, `no scope: ${named(heading)}`);
      for (const pressed of all(PRESSED)) {
        const { width, height } = pressed.getBoundingClientRect();
        must(pressed.textContent.trim() || pressed.tagName === "INPUT", `no name: ${pressed.outerHTML}`);
        must((width >= 24 && height >= 24) || pressed.closest("p"), `too small to be pressed: ${named(pressed)}`);
      }
      for (const text of all("body *")) {
        const own = [...text.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
        if (own) must(contrast(text) >= 4.5, `hard to read, ${contrast(text).toFixed(2)}: ${named(text)}`);
      }
      return found;
    },
  };
})()
