#!/usr/bin/env node
import '../dist/hbotctl/main.js';
