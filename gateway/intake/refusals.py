"""Every refusal that a portal or department can meet: one table, so that code, status and words are said once.

The wire form is a problem document (RFC 9457) whose `type` ends in the code; the same sentence stands in `findings`
in German and English. Codes are stable; a new meaning gets a new code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.errors import Refused
from xoev_schemas.findings import Finding, Layer, Text


@dataclass(frozen=True, slots=True)
class Refusal:
    """One way to be refused. title: short, English, for logs and problem documents. remedy: what the sender does
    next.
    """

    status: int
    title: str
    text: Text
    remedy: Text
    layer: Layer = "convention"


def _refusal(
    status: int, title: str, de: str, en: str, remedy_de: str, remedy_en: str, layer: Layer = "convention"
) -> Refusal:
    return Refusal(status, title, Text(de, en), Text(remedy_de, remedy_en), layer)


_REPEAT_DE, _REPEAT_EN = "Senden Sie dieselbe Anfrage später erneut.", "Send the same request again later."
_SPEC_DE, _SPEC_EN = "Prüfen Sie den Aufbau der Anfrage.", "Check how the request is built."

REFUSALS: Mapping[str, Refusal] = {
    "request_malformed": _refusal(
        400,
        "Malformed HTTP request",
        "Die Anfrage ist kein eindeutiges HTTP.",
        "The request is not unambiguous HTTP.",
        _SPEC_DE,
        _SPEC_EN,
        "parse",
    ),
    "multipart_malformed": _refusal(
        400,
        "Malformed multipart body",
        "Der Inhalt ist nicht in gültige Teile gegliedert oder bricht ab.",
        "The body is not valid multipart/form-data or ends too early.",
        "Senden Sie alle Teile vollständig als multipart/form-data.",
        "Send every part completely as multipart/form-data.",
        "parse",
    ),
    "part_missing": _refusal(
        400,
        "Missing part",
        "Ein verlangter Teil fehlt.",
        "A required part is missing.",
        "Senden Sie die Teile metadata und data.",
        "Send the parts metadata and data.",
    ),
    "part_duplicate": _refusal(
        400,
        "Duplicate part",
        "Ein Teil, der nur einmal vorkommen darf, ist mehrfach vorhanden.",
        "A part that may occur once occurs several times.",
        _SPEC_DE,
        _SPEC_EN,
    ),
    "part_unknown": _refusal(
        400,
        "Unknown part",
        "Die Anfrage enthält einen unbekannten Teil.",
        "The request contains an unknown part.",
        "Zulässig sind metadata, data und attachment.",
        "Allowed are metadata, data and attachment.",
    ),
    "metadata_invalid": _refusal(
        400,
        "Invalid metadata",
        "Die Metadaten entsprechen nicht ihrem Schema.",
        "The metadata do not conform to their schema.",
        "Berichtigen Sie die genannten Stellen.",
        "Correct the places named.",
    ),
    "metadata_version_unknown": _refusal(
        400,
        "Unknown metadata version",
        "Diese Version der Metadaten wird nicht unterstützt.",
        "This version of the metadata is not supported.",
        "Verwenden Sie FIT-Connect-Metadaten der Version 1.0 oder 2.1.",
        "Use FIT-Connect metadata of version 1.0 or 2.1.",
    ),
    "media_type_mismatch": _refusal(
        400,
        "Media type differs from the metadata",
        "Der Medientyp eines Teils weicht von den Metadaten ab.",
        "The media type of a part differs from the metadata.",
        "Geben Sie am Teil und in den Metadaten denselben Medientyp an.",
        "Give the same media type on the part and in the metadata.",
    ),
    "hash_mismatch": _refusal(
        400,
        "Hash mismatch",
        "Der Hashwert eines Teils stimmt nicht mit den Metadaten überein.",
        "The hash of a part differs from the metadata.",
        "Bilden Sie SHA-512 über genau die gesendeten Bytes.",
        "Compute SHA-512 over exactly the bytes sent.",
    ),
    "attachment_missing": _refusal(
        400,
        "Announced attachment missing",
        "Eine angekündigte Anlage fehlt.",
        "An announced attachment is missing.",
        "Senden Sie jede angekündigte Anlage genau einmal.",
        "Send every announced attachment exactly once.",
        "attachment",
    ),
    "attachment_unannounced": _refusal(
        400,
        "Attachment not announced",
        "Eine Anlage ist nicht angekündigt.",
        "An attachment is not announced.",
        "Nennen Sie die Anlage in den Metadaten und geben Sie am Teil als filename ihre attachmentId an.",
        "Announce it in the metadata and give its attachmentId as the part's filename.",
        "attachment",
    ),
    "attachment_duplicate": _refusal(
        400,
        "Attachment sent twice",
        "Eine Anlage wurde mehrfach gesendet.",
        "An attachment was sent more than once.",
        "Senden Sie jede angekündigte Anlage genau einmal.",
        "Send every announced attachment exactly once.",
        "attachment",
    ),
    "filename_unsafe": _refusal(
        400,
        "Unsafe file name",
        "Ein Dateiname enthält unzulässige Zeichen oder ist zu lang.",
        "A file name contains forbidden characters or is too long.",
        "Verwenden Sie höchstens 255 Zeichen ohne Pfadangaben, Steuer- und Formatzeichen.",
        "Use at most 255 characters without path parts, control or format characters.",
        "attachment",
    ),
    "parameter_invalid": _refusal(
        400,
        "Invalid parameter",
        "Ein Parameter oder Kopffeld der Anfrage hat einen unzulässigen Wert.",
        "A parameter or header field of the request has a value that is not allowed.",
        "Verwenden Sie einen zulässigen Wert.",
        "Use a value that is allowed.",
    ),
    "parameter_missing": _refusal(
        400,
        "Missing parameter",
        "Ein verlangter Parameter fehlt.",
        "A required parameter is missing.",
        "Ergänzen Sie den Parameter in der Adresse.",
        "Add the parameter to the address.",
    ),
    "parameter_unknown": _refusal(
        400,
        "Unknown parameter",
        "Die Adresse enthält einen Parameter, den es hier nicht gibt.",
        "The address contains a parameter that does not exist here.",
        "Verwenden Sie nur die zulässigen Parameter; ein anderer bliebe ohne Wirkung.",
        "Use the allowed parameters only; any other would do nothing.",
    ),
    "case_unknown": _refusal(
        400,
        "Unknown case",
        "Zu dieser Vorgangskennung liegt von Ihnen nichts vor.",
        "Nothing of yours belongs to this case id.",
        "Verwenden Sie die caseId aus einer früheren Antwort oder lassen Sie sie weg.",
        "Use the caseId of an earlier answer, or leave it out.",
    ),
    "token_missing": _refusal(
        401,
        "Authentication required",
        "Die Anfrage ist nicht angemeldet.",
        "The request carries no credentials.",
        "Senden Sie ein Zugriffstoken oder verwenden Sie Ihr Zertifikat.",
        "Send an access token or use your certificate.",
    ),
    "authentication_unsupported": _refusal(
        401,
        "Unsupported authentication",
        "Diese Art der Anmeldung wird hier nicht angenommen.",
        "This kind of authentication is not accepted here.",
        "Senden Sie ein Zugriffstoken (Authorization: Bearer …) oder verwenden Sie Ihr Zertifikat.",
        "Send an access token (Authorization: Bearer …), or use your client certificate.",
    ),
    "token_invalid": _refusal(
        401,
        "Invalid credentials",
        "Das Zugriffstoken oder Zertifikat ist ungültig.",
        "The access token or certificate is not valid.",
        "Fordern Sie ein neues Zugriffstoken an.",
        "Request a new access token.",
    ),
    "token_expired": _refusal(
        401,
        "Token expired",
        "Das Zugriffstoken ist abgelaufen.",
        "The access token has expired.",
        "Fordern Sie ein neues Zugriffstoken an.",
        "Request a new access token.",
    ),
    "client_unknown": _refusal(
        403,
        "Client not configured here",
        "Dieser Absender ist hier nicht eingerichtet.",
        "This client is not configured here.",
        "Wenden Sie sich an den Betrieb.",
        "Ask the operators.",
    ),
    "client_kind_wrong": _refusal(
        403,
        "Not for this kind of client",
        "Dieser Zugang darf diese Schnittstelle nicht verwenden.",
        "This client may not use this interface.",
        "Verwenden Sie den dafür vorgesehenen Zugang.",
        "Use the client that is meant for it.",
    ),
    "service_not_allowed": _refusal(
        403,
        "Service not allowed",
        "Sie dürfen für diese Leistung nichts einreichen.",
        "You may not submit for this service.",
        "Reichen Sie für eine zulässige Leistung ein, oder lassen Sie diese für Ihren Zugang freigeben.",
        "Submit for an allowed service, or have this one released for your client.",
    ),
    "not_found": _refusal(
        404,
        "Not found",
        "Das Gesuchte gibt es nicht, oder es ist nicht für Sie bestimmt.",
        "There is no such thing, or it is not yours to see.",
        "Prüfen Sie die Adresse.",
        "Check the address.",
    ),
    "method_not_allowed": _refusal(
        405,
        "Method not allowed",
        "Diese Methode ist hier nicht vorgesehen.",
        "This method is not meant for this address.",
        _SPEC_DE,
        _SPEC_EN,
    ),
    "sender_too_slow": _refusal(
        408,
        "Request too slow",
        "Die Anfrage kam nicht rechtzeitig vollständig an.",
        "The request did not arrive completely in time.",
        _REPEAT_DE,
        _REPEAT_EN,
    ),
    "key_in_progress": _refusal(
        409,
        "Same request still running",
        "Eine Anfrage mit demselben Schlüssel wird gerade bearbeitet.",
        "A request with the same key is being handled.",
        _REPEAT_DE,
        _REPEAT_EN,
    ),
    "not_sealed_yet": _refusal(
        409,
        "Not sealed yet",
        "Der Eingang ist verzeichnet, aber noch nicht versiegelt.",
        "The submission is on record, but not sealed yet.",
        _REPEAT_DE,
        _REPEAT_EN,
    ),
    "key_reused": _refusal(
        409,
        "Key already used for other content",
        "Dieser Schlüssel wurde schon für einen anderen Inhalt verwendet.",
        "This key was already used for other content.",
        "Verwenden Sie je Einreichung einen neuen Idempotency-Key.",
        "Use a new Idempotency-Key for every submission.",
    ),
    "content_erased": _refusal(
        410,
        "Content erased",
        "Der Inhalt wurde nach Ablauf der Aufbewahrung gelöscht.",
        "The content was erased when its retention ended.",
        "Der Nachweis bleibt abrufbar.",
        "The record remains available.",
    ),
    "body_too_large": _refusal(
        413,
        "Too large",
        "Die Anfrage oder einer ihrer Teile ist zu groß.",
        "The request or one of its parts is too large.",
        "Verkleinern Sie den Inhalt oder teilen Sie ihn auf.",
        "Make the content smaller or split it.",
    ),
    "content_type_unsupported": _refusal(
        415,
        "Unsupported content type",
        "Dieser Medientyp wird hier nicht angenommen.",
        "This media type is not accepted here.",
        "Verwenden Sie einen der zulässigen Medientypen.",
        "Use one of the allowed media types.",
    ),
    "content_encoding_unsupported": _refusal(
        415,
        "Unsupported content encoding",
        "Komprimierte oder umkodierte Inhalte werden nicht angenommen.",
        "Compressed or re-encoded content is not accepted.",
        "Senden Sie den Inhalt unverändert.",
        "Send the content as it is.",
    ),
    "too_many_attempts": _refusal(
        429,
        "Too many failed attempts",
        "Zu viele fehlgeschlagene Anmeldungen.",
        "Too many failed logins.",
        _REPEAT_DE,
        _REPEAT_EN,
    ),
    "headers_too_large": _refusal(
        431,
        "Header too large",
        "Der Kopf der Anfrage ist zu groß.",
        "The header of the request is too large.",
        "Senden Sie weniger oder kürzere Kopfzeilen.",
        "Send fewer or shorter header fields.",
    ),
    "internal_error": _refusal(
        500,
        "Internal error",
        "Im System ist ein Fehler aufgetreten.",
        "Something failed inside the gateway.",
        "Senden Sie dieselbe Anfrage mit demselben Schlüssel erneut; nennen Sie dem Betrieb sonst die Kennung.",
        "Send the same request with the same key again; else tell the operators the instance id.",
    ),
    "backlog_full": _refusal(
        503,
        "Too much waiting",
        "Zurzeit warten zu viele Zustellungen.",
        "Too many deliveries are waiting.",
        _REPEAT_DE,
        _REPEAT_EN,
    ),
    "disk_nearly_full": _refusal(
        503,
        "Disk nearly full",
        "Der Speicherplatz ist fast aufgebraucht; nichts wurde angenommen.",
        "Hardly any disk space is left; nothing was accepted.",
        _REPEAT_DE,
        _REPEAT_EN,
    ),
    "too_many_connections": _refusal(
        503,
        "Too many connections",
        "Zurzeit bestehen zu viele Verbindungen.",
        "There are too many connections.",
        _REPEAT_DE,
        _REPEAT_EN,
    ),
    "store_unavailable": _refusal(
        503,
        "Database not available",
        "Die Ablage antwortet nicht; nichts wurde angenommen.",
        "The database does not answer; nothing was accepted.",
        _REPEAT_DE,
        _REPEAT_EN,
    ),
    "unreadable": _refusal(
        400,
        "The data cannot be read",
        "Die Daten sind nicht lesbar.",
        "The data cannot be read.",
        "Senden Sie wohlgeformtes XML oder JSON in UTF-8, ohne DOCTYPE.",
        "Send well-formed XML or JSON in UTF-8, without a DOCTYPE.",
        "parse",
    ),
    "service_unknown": _refusal(
        422,
        "No service by this name",
        "Unter dieser Kennung wird hier keine Leistung angenommen.",
        "No service here goes by this identifier or address.",
        "Verwenden Sie eine zulässige Kennung; GET /v1/services nennt alle Ihre Leistungen.",
        "Use an allowed identifier; GET /v1/services names all of your services.",
        "service",
    ),
    "schema_not_accepted": _refusal(
        422,
        "Schema not accepted",
        "Daten nach diesem Schema werden für die Leistung nicht (mehr oder noch nicht) angenommen.",
        "The service does not accept data by this schema in this form (any more, or yet).",
        "Verwenden Sie ein zulässiges Schema; GET /v1/services nennt alle Ihre Leistungen mit ihren Schemata.",
        "Use an allowed schema; GET /v1/services names all of your services with their schemas.",
        "service",
    ),
    "service_ambiguous": _refusal(
        422,
        "Several services accept this",
        "Mehrere Leistungen nehmen dieses Schema an.",
        "Several services accept this schema.",
        "Nennen Sie die Kennung der Leistung im Parameter „service“.",
        "Name the identifier of the service in the parameter `service`.",
        "service",
    ),
    "not_valid": _refusal(
        422,
        "The data is not valid",
        "Die Daten entsprechen nicht ihrem Schema.",
        "The data does not fit its schema.",
        "Berichtigen Sie die genannten Stellen.",
        "Correct the places named.",
        "schema",
    ),
    "not_mappable": _refusal(
        422,
        "The submission cannot be mapped",
        "Aus dem Eingang lässt sich zurzeit kein Fall bilden.",
        "No case can be made of the submission at present.",
        "Wenden Sie sich an den Betreiber des Gateways.",
        "Ask the operator of the gateway.",
        "service",
    ),
    "submission_held": _refusal(
        409,
        "The submission is held",
        "Der Eingang wartet auf die Virenprüfung seiner Anlagen.",
        "The submission waits for its attachments to be scanned.",
        _REPEAT_DE,
        _REPEAT_EN,
        "attachment",
    ),
    "attachment_infected": _refusal(
        409,
        "The attachment is infected",
        "In dieser Anlage ist Schadsoftware; sie wird nicht herausgegeben, solange der Eingang auf Klärung wartet.",
        "There is malware in this attachment; it is not handed out while the submission waits to be clarified.",
        "Klären Sie den Eingang mit dem Betreiber des Gateways.",
        "Clarify the submission with the operator of the gateway.",
        "attachment",
    ),
}


def finding(code: str, *, path: str = "", found: str | None = None, allowed: str | None = None) -> Finding:
    """The refusal's sentence as a finding. path: the part or parameter; found: masked, never the sender's value."""
    refusal = REFUSALS[code]
    return Finding(
        code, "error", refusal.layer, refusal.text, path=path, found=found, allowed=allowed, remedy=refusal.remedy
    )


def refused(
    code: str,
    *,
    path: str = "",
    found: str | None = None,
    allowed: str | None = None,
    findings: Sequence[Finding] = (),
    retry_after: int | None = None,
) -> Refused:
    """The exception for `code`. findings: more precise ones instead of the table's sentence."""
    refusal = REFUSALS[code]
    told = list(findings) or [finding(code, path=path, found=found, allowed=allowed)]
    return Refused(refusal.status, code, refusal.title, findings=told, retry_after=retry_after)
