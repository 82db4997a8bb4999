#!/usr/bin/env node
import '../dist/commlib/main.js';
