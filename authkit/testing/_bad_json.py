"""Bad tokens: JSON with more than one reading, or none."""

from __future__ import annotations

from ._catalogue import BAD, as_json

BAD.text("duplicate_subject", "sub twice", lambda text: text[:-1] + ',"sub":"mallory"}')
BAD.text("duplicate_escaped", "sub twice, once in another spelling", lambda text: text[:-1] + ',"\\u0073ub":"mallory"}')
BAD.text("duplicate_nested", "a member twice, further in", lambda text: text[:-1] + ',"cnf":{"a":1,"a":2}}')
BAD.text("duplicate_alg", "alg twice", lambda text: '{"alg":"none",' + text[1:], header=True)
BAD.text("nested_deep", "3000 arrays deep", lambda text: text[:-1] + ',"a":' + "[" * 3000 + "]" * 3000 + "}")
BAD.text("nested_deep_objects", "500 objects deep", lambda text: text[:-1] + ',"a":' + '{"a":' * 500 + "1" + "}" * 501)
BAD.text(
    "nested_deep_header",
    "a header 1000 arrays deep",
    lambda text: text[:-1] + ',"a":' + "[" * 1000 + "]" * 1000 + "}",
    header=True,
)
BAD.text("json_garbage", "something after the object", lambda text: text + "x")
BAD.text("json_two", "two objects", lambda text: text + text)
BAD.text("json_comma", "a comma too many", lambda text: text[:-1] + ",}")
BAD.text("json_array", "an array instead of an object", lambda text: f"[{text}]")
BAD.text("json_text", "text instead of an object", lambda text: '"alice"')
BAD.text("json_empty", "no claims at all", lambda text: "{}")
BAD.text("json_nothing", "a single space", lambda text: " ")
BAD.text("json_surrogate", "half a character", lambda text: text[:-1] + ',"a":"\\ud800"}')
BAD.text("json_control", "a line break inside a text", lambda text: text[:-1] + ',"a":"\n"}')
BAD.text("json_bom", "a byte order mark in front", lambda text: "\ufeff" + text)
for _name in ("utf-16", "utf-32", "utf-16-be"):
    BAD.add(
        f"json_{_name.replace('-', '')}", f"claims in {_name.upper()}",
        lambda mint, encoding=_name: mint.forge(mint.header(), as_json(mint.claims()).encode(encoding)),  # type: ignore[misc]
    )  # fmt: skip
BAD.add(
    "json_not_utf8",
    "claims that are no UTF-8",
    lambda mint: mint.forge(mint.header(), as_json(mint.claims())[:-1].encode() + b',"a":"\xff"}'),
)
