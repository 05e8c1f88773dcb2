"""Department systems that speak SOAP 1.1 or 1.2, document/literal, as their own WSDL says."""

from adapters.soap.adapter import SoapAdapter

__all__ = ["SoapAdapter"]
