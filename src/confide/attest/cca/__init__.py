"""Arm CCA (draft-ffm-rats-cca-token-04; Arm DEN0137, Realm Management Monitor): tokens of realms. Experimental: there is no public
evidence from silicon to hold this against, only from emulators."""
