"""False vendors and false devices. The private keys in here are public: nothing signed by them proves anything."""
