"""The OpenAPI document of an imaginary department that takes every kind of body, changes cases and answers later."""

from __future__ import annotations

from pathlib import Path

OPENAPI = """
openapi: 3.0.3
info: {title: Test, version: "1"}
security: [{schluessel: []}]
paths:
  /vorgaenge:
    post:
      requestBody:
        content:
          application/json: {schema: {$ref: "#/components/schemas/Vorgang"}}
          application/xml: {schema: {$ref: "#/components/schemas/Vorgang"}}
          application/x-www-form-urlencoded: {schema: {$ref: "#/components/schemas/Vorgang"}}
          multipart/form-data:
            schema:
              type: object
              required: [art, name]
              additionalProperties: false
              properties:
                fremdId: {type: string}
                art: {type: string, enum: [NEU, ALT]}
                name: {type: string, maxLength: 40}
                tiere: {type: array, items: {type: string}}
                angaben: {$ref: "#/components/schemas/Angaben"}
                bogen: {$ref: "#/components/schemas/Angaben"}
                inhalt: {type: string, format: binary}
                weitere: {type: array, items: {type: string, format: binary}}
            encoding: {bogen: {contentType: application/xml}}
      responses:
        "201": {description: da, content: {application/json: {schema: {$ref: "#/components/schemas/Ergebnis"}}}}
        "202": {description: angenommen}
    get:
      responses:
        "200":
          description: Treffer
          content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Ergebnis"}}}}
  /vorgaenge/{nummer}:
    parameters: [{name: nummer, in: path, required: true, schema: {type: string}}]
    put:
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/Vorgang"}}}}
      responses:
        "200": {description: da, content: {application/json: {schema: {$ref: "#/components/schemas/Ergebnis"}}}}
        "201": {description: da, content: {application/json: {schema: {$ref: "#/components/schemas/Ergebnis"}}}}
components:
  securitySchemes: {schluessel: {type: apiKey, in: header, name: X-Amt}}
  schemas:
    Ergebnis:
      type: object
      required: [vorgangsnummer]
      additionalProperties: false
      properties: {vorgangsnummer: {type: string}, aktenzeichen: {type: string}}
    Angaben:
      type: object
      xml: {name: Angaben, namespace: "urn:angaben"}
      properties: {ort: {type: string}, seit: {type: string, format: date}}
    Vorgang:
      type: object
      required: [art, name]
      additionalProperties: false
      xml: {namespace: "urn:vorgang"}
      properties:
        fremdId: {type: string, maxLength: 64, xml: {attribute: true}}
        art: {type: string, enum: [NEU, ALT]}
        name: {type: string, maxLength: 40, xml: {name: Name}}
        betrag: {type: number}
        eilig: {type: boolean}
        tiere: {type: array, xml: {wrapped: true}, items: {type: string, xml: {name: tier}}}
        orte: {type: array, items: {type: string}}
        inhalt: {type: string, format: byte}
"""


def write_openapi(folder: Path, changed: tuple[str, str] | None = None) -> Path:
    """`r.openapi.yaml` in a folder; changed: a text of it and what stands there instead."""
    text = OPENAPI if changed is None else OPENAPI.replace(*changed)
    assert changed is None or text != OPENAPI
    file = folder / "r.openapi.yaml"
    file.write_text(text, encoding="utf-8")
    return file
