// An event that no page tells of.
void tell() { events.write(Clock::now(), "unheard_of", {}); }
